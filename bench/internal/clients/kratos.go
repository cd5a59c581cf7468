package clients

import (
	"context"
	"net/http"
	"sync"
	"time"

	kregistry "github.com/go-kratos/kratos/v2/registry"
	"github.com/go-kratos/kratos/v2/selector"
	"github.com/go-kratos/kratos/v2/selector/p2c"
	khttp "github.com/go-kratos/kratos/v2/transport/http"
)

// chooseTwo is for all of go-kratos's clients, which know but one selector.
var chooseTwo = sync.OnceFunc(func() { selector.SetGlobalSelector(p2c.NewBuilder()) })

// kratos is aware of the registry and balances by latency and load; it repeats
// nothing.
func kratos(f *Fleet) (Client, error) {
	chooseTwo()
	t := newTransport()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := khttp.NewClient(ctx, khttp.WithEndpoint("discovery:///"+Service), khttp.WithDiscovery(discovery{f}),
		khttp.WithTransport(t), khttp.WithTimeout(time.Minute), khttp.WithBlock())
	if err != nil {
		cancel()
		return Client{}, err
	}
	do := func(req *http.Request) (*http.Response, error) { return c.Do(req) }
	return Client{Base: named, Do: do, close: func() {
		_ = c.Close()
		cancel()
		t.CloseIdleConnections()
	}}, nil
}

// discovery shows the fleet to go-kratos.
type discovery struct{ fleet *Fleet }

func (d discovery) GetService(context.Context, string) ([]*kregistry.ServiceInstance, error) {
	addrs, _ := d.fleet.addrs()
	return instancesOf(addrs), nil
}

func (d discovery) Watch(ctx context.Context, _ string) (kregistry.Watcher, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &watcher{fleet: d.fleet, ctx: ctx, cancel: cancel}, nil
}

type watcher struct {
	fleet   *Fleet
	ctx     context.Context
	cancel  context.CancelFunc
	changed <-chan struct{} // nil before the first list
}

func (w *watcher) Next() ([]*kregistry.ServiceInstance, error) {
	if w.changed != nil {
		select {
		case <-w.changed:
		case <-w.ctx.Done():
			return nil, context.Canceled
		}
	}
	var addrs []string
	addrs, w.changed = w.fleet.addrs()
	return instancesOf(addrs), nil
}

func (w *watcher) Stop() error {
	w.cancel()
	return nil
}

func instancesOf(addrs []string) []*kregistry.ServiceInstance {
	var all []*kregistry.ServiceInstance
	for _, addr := range addrs {
		all = append(all, &kregistry.ServiceInstance{ID: addr, Name: Service, Endpoints: []string{"http://" + addr}})
	}
	return all
}
