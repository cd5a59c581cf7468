package bridge

import (
	"net/http"
	"strings"
	"testing"

	"fairlead.dev/registry"
)

const settingsPath = "/v1/realms/local/services/identity/settings"

func TestSettingsOverHTTP(t *testing.T) {
	g := newRig(t, nil)
	all := into[settingsAnswer](t, g.want(http.StatusOK, g.do("GET", settingsPath, "")))
	if len(all.Settings.Settings) != 0 || all.Service != "identity" {
		t.Errorf("at first: %+v", all)
	}
	set := into[settingAnswer](t, g.want(http.StatusOK, g.do("PUT", settingsPath+"/GREETING", `{"value":"Good day"}`)))
	if set.Name != "GREETING" || set.Value != "Good day" || set.Revision.Sequence == 0 {
		t.Errorf("set: %+v", set)
	}
	g.want(http.StatusOK, g.do("PUT", settingsPath+"/EMPTY", `{"value":""}`))
	x := g.want(http.StatusOK, g.do("GET", settingsPath, ""))
	all = into[settingsAnswer](t, x)
	if want := (registry.Setting{Name: "GREETING", Value: "Good day", Revision: set.Revision.Sequence}); len(all.Settings.Settings) != 2 || all.Settings.Settings[1] != want {
		t.Errorf("listed: %+v", all)
	}
	g.want(http.StatusNotModified, g.do("GET", settingsPath, "", "If-None-Match: "+x.header.Get("ETag")))
	for range 2 { // taking away what is not there is no error
		g.want(http.StatusNoContent, g.do("DELETE", settingsPath+"/GREETING", ""))
	}
	g.want(http.StatusServiceUnavailable, awayDo(g, "GET", settingsPath))
}

// awayDo asks while the registry is away.
func awayDo(g *rig, method, path string) exchange {
	g.t.Helper()
	g.reg.GoAway()
	defer g.reg.ComeBack()
	return g.do(method, path, "")
}

func TestBadSettingsOverHTTP(t *testing.T) {
	g := newRig(t, nil)
	tests := []struct {
		method, path, body, header string
		status                     int
		detail                     string
	}{
		{"PUT", settingsPath + "/greeting", `{"value":"x"}`, "", 400, "name: must be of A-Z"},
		{"PUT", settingsPath + "/FAIRLEAD_REALM", `{"value":"x"}`, "", 400, "name: must not begin with FAIRLEAD_"},
		{"DELETE", settingsPath + "/a.b", "", "", 400, "name: "},
		{"PUT", settingsPath + "/GREETING", `{}`, "", 400, "value: must be given"},
		{"PUT", settingsPath + "/GREETING", `{"value":null}`, "", 400, "value: must be given"},
		{"PUT", settingsPath + "/GREETING", `{"value":5}`, "", 400, "value: "},
		{"PUT", settingsPath + "/GREETING", `{"value":"x","until":"noon"}`, "", 400, "until"},
		{"PUT", settingsPath + "/GREETING", `{"value":"` + strings.Repeat("x", 5000) + `"}`, "", 400, "value: must be at most 4096 bytes"},
		{"PUT", settingsPath + "/GREETING", `{"value":"x"}`, `If-Match: "e-1"`, 400, "If-Match: "},
		{"POST", settingsPath, `{"value":"x"}`, "", 405, "method: "},
		{"GET", settingsPath + "/GREETING", "", "", 405, "method: "},
		{"GET", "/v1/realms/local/services/Identity/settings", "", "", 400, "service: "},
	}
	for _, tt := range tests {
		var headers []string
		if tt.header != "" {
			headers = append(headers, tt.header)
		}
		x := g.want(tt.status, g.do(tt.method, tt.path, tt.body, headers...))
		if detail := x.problem(t).Detail; !strings.Contains(detail, tt.detail) {
			t.Errorf("%s %s: %q lacks %q", tt.method, tt.path, detail, tt.detail)
		}
	}
}
