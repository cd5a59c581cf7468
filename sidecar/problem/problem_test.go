package problem

import (
	"net/http/httptest"
	"testing"

	"fairlead.dev/registry"
)

func TestWrite(t *testing.T) {
	p := New(400, "invalid", "port: must be between 1 and 65535, got 0")
	p.Errors.Addf("port", "must be between 1 and 65535, got 0")
	p.Processed = NotProcessed
	w := httptest.NewRecorder()
	p.Write(w)
	const want = `{"type":"https://fairlead.dev/problems/invalid","title":"Bad Request","status":400,"detail":"port: must be between 1 and 65535, got 0","errors":[{"field":"port","problem":"must be between 1 and 65535, got 0"}],"processed":"no"}` + "\n"
	if w.Code != 400 || w.Header().Get("Content-Type") != ContentType || w.Body.String() != want {
		t.Errorf("wrote %d %s %s", w.Code, w.Header(), w.Body)
	}
	if p.Code() != "invalid" || p.Error() != p.Detail {
		t.Errorf("code is %q, error %q", p.Code(), p)
	}
	if (&Problem{Type: "about:blank", Errors: registry.FieldErrors{}}).Code() != "" {
		t.Error("a type that is not ours has a code")
	}
}
