package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// ask sends an order on a connection of its own, so that none of the measured
// ones is touched.
func (p *Process) ask(ctx context.Context, method string, instance int, path string, text []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.Addrs[instance]+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("upstream: %s: %s", path, resp.Status)
	}
	return answer, err
}
