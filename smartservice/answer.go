package smartservice

import (
	"encoding/json"
	"net/http"
)

// WriteJSON answers with a status and a value as JSON. A value that JSON
// cannot express becomes a 500.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		WriteProblem(w, http.StatusInternalServerError, "the answer could not be encoded")
		return
	}
	write(w, status, "application/json", body)
}

// A Problem is an error answer by RFC 9457. Detail tells the caller what was
// wrong with this request, on one line.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// WriteProblem answers with a problem in place of what the handler had begun
// to describe in its headers.
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Cache-Control"} {
		w.Header().Del(name)
	}
	// A struct of strings and a number cannot fail.
	body, _ := json.Marshal(Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail})
	write(w, status, "application/problem+json", body)
}

func write(w http.ResponseWriter, status int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	// The caller may be gone; there is nobody to tell.
	_, _ = w.Write(append(body, '\n'))
}
