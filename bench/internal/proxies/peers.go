package proxies

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Service is what requests name.
const Service = "identity"

// answer is what the backend answers with: 200 bytes.
var answer = strings.Repeat("0123456789", 20)

const nginxHead = `daemon off; master_process off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
`

// nginxBackend listens on every port of the place too.
func nginxBackend() Proxy {
	return Proxy{Name: "direct", version: []string{"nginx", "-v"}, command: func(p Place, dir string, port int) ([]string, error) {
		var listens strings.Builder
		for _, one := range append([]int{port}, p.Backends...) {
			fmt.Fprintf(&listens, "listen 127.0.0.1:%d; ", one)
		}
		file, err := write(dir, "nginx.conf", fmt.Sprintf(nginxHead, dir)+
			fmt.Sprintf("server { %s location / { default_type text/plain; return 200 %q; } } }\n", listens.String(), answer))
		return []string{"nginx", "-e", dir + "/error", "-c", file}, err
	}}
}

// nginxProxy chooses the upstream by the header, keeps connections, and tries
// another server when one cannot be reached.
func nginxProxy() Proxy {
	return Proxy{Name: "nginx", Peer: true, version: []string{"nginx", "-v"}, command: func(p Place, dir string, port int) ([]string, error) {
		var servers strings.Builder
		for _, one := range p.Backends {
			fmt.Fprintf(&servers, "server 127.0.0.1:%d; ", one)
		}
		file, err := write(dir, "nginx.conf", fmt.Sprintf(nginxHead, dir)+fmt.Sprintf(`
  map $http_fairlead_service $named { %[1]s %[1]s; }
  upstream %[1]s { least_conn; %[2]s keepalive 256; }
  server { listen 127.0.0.1:%[3]d; location / {
    if ($named = "") { return 400; }
    proxy_pass http://$named; proxy_http_version 1.1; proxy_buffering off;
    proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_set_header Fairlead-Service "";
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto http;
    proxy_next_upstream error timeout; } } }
`, Service, servers.String(), port))
		return []string{"nginx", "-e", dir + "/error", "-c", file}, err
	}}
}

// handHAProxy is as somebody would write it who knows the backends: by header,
// with retries of what was never sent and the headers a proxy should set.
func handHAProxy() Proxy {
	return Proxy{Name: "haproxy", Peer: true, version: []string{"haproxy", "-v"}, command: func(p Place, dir string, port int) ([]string, error) {
		var servers strings.Builder
		for i, one := range p.Backends {
			fmt.Fprintf(&servers, "  server s%d 127.0.0.1:%d\n", i, one)
		}
		file, err := write(dir, "haproxy.cfg", fmt.Sprintf(`
global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout client 2m
  timeout server 1h
  timeout connect 1s
  option http-no-delay
  option redispatch 1
  retries 2
  retry-on conn-failure empty-response
  http-reuse always
frontend in
  bind 127.0.0.1:%d
  http-request disable-l7-retry unless { method GET HEAD OPTIONS }
  http-request deny deny_status 400 unless { req.hdr_cnt(Fairlead-Service) eq 1 }
  http-request set-var(txn.named) req.hdr(Fairlead-Service)
  http-request del-header Fairlead-Service
  http-request del-header X-Forwarded- -m beg
  http-request set-header X-Forwarded-Proto http
  option forwardfor
  use_backend %%[var(txn.named)]
backend %s
  balance leastconn
%s`, port, Service, servers.String()))
		return []string{"haproxy", "-db", "-f", file}, err
	}}
}

func caddy(programs Programs) Proxy {
	return Proxy{Name: "caddy", Peer: true, version: []string{"Caddy 2.11.9 (its reverse proxy alone)"}, command: func(p Place, dir string, port int) ([]string, error) {
		type object = map[string]any
		type list = []any
		var upstreams list
		for _, one := range p.Backends {
			upstreams = append(upstreams, object{"dial": fmt.Sprintf("127.0.0.1:%d", one)})
		}
		text, err := json.Marshal(object{
			"admin":   object{"disabled": true},
			"logging": object{"logs": object{"default": object{"level": "ERROR"}}},
			"apps": object{"http": object{"servers": object{"in": object{
				"listen": list{fmt.Sprintf("127.0.0.1:%d", port)}, "automatic_https": object{"disable": true},
				"routes": list{object{
					"match": list{object{"header": object{"Fairlead-Service": list{Service}}}},
					"handle": list{object{
						"handler": "reverse_proxy", "upstreams": upstreams, "flush_interval": -1,
						"load_balancing": object{"selection_policy": object{"policy": "least_conn"}, "retries": 2},
						"headers":        object{"request": object{"delete": list{"Fairlead-Service"}}},
						"transport":      object{"protocol": "http", "keep_alive": object{"max_idle_conns_per_host": 256}, "compression": false},
					}},
				}},
			}}}},
		})
		if err != nil {
			return nil, err
		}
		file, err := write(dir, "caddy.json", string(text))
		return []string{programs.Caddy, file}, err
	}}
}
