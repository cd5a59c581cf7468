package atlas

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestClosedWorkIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWork()
		var done atomic.Int32
		for range 3 {
			for range 10 {
				w.Go(func() { time.Sleep(time.Millisecond); done.Add(1) })
			}
			synctest.Wait()
			time.Sleep(10 * time.Millisecond)
		}
		w.Go(func() { time.Sleep(time.Millisecond); done.Add(1) })
		w.close()
		w.close()
		w.Go(func() { done.Add(1) })
		if n := done.Load(); n != 31 {
			t.Errorf("%d of 31 done", n)
		}
	})
}

func TestRequestsOfOneMomentShareADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadlines
		first, second := d.within(t.Context(), time.Second), d.within(t.Context(), time.Second)
		time.Sleep(deadlineStep)
		third := d.within(t.Context(), time.Second)
		if first != second || first == third {
			t.Error("only those of one step share a deadline")
		}
		time.Sleep(time.Second + time.Millisecond)
		if first.Err() == nil || third.Err() != nil {
			t.Errorf("after the first's end: %v, %v", first.Err(), third.Err())
		}
		<-third.Done()
	})
}
