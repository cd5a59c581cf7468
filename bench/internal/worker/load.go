package worker

import (
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/systems"
)

// LoadArgs say how often a fresh table of the whole realm is made, by how many
// clients at once, and how many instances it has to have.
type LoadArgs struct {
	Times, Clients, Want int
}

// Load returns how long each time took until the last client had its table.
func (s *Service) Load(args LoadArgs, took *[]time.Duration) error {
	for range args.Times {
		fresh := make([]systems.Listener, args.Clients)
		began := clock.Now()
		err := s.fill(fresh, args.Want)
		*took = append(*took, clock.Now().Sub(began))
		closeAll(fresh)
		if err != nil {
			return fmt.Errorf("fresh table: %w", err)
		}
	}
	return nil
}

func (s *Service) fill(fresh []systems.Listener, want int) error {
	ctx, cancel := bounded()
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for i := range fresh {
		group.Go(func() (err error) {
			if fresh[i], err = s.conns[i%len(s.conns)].Follow(ctx, "", nil); err != nil {
				return err
			}
			if has := fresh[i].Len(); has != want {
				return fmt.Errorf("has %d instances, expected %d", has, want)
			}
			return nil
		})
	}
	return group.Wait()
}

func closeAll(all []systems.Listener) {
	for _, l := range all {
		if l != nil {
			l.Close()
		}
	}
}
