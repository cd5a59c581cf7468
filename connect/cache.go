package connect

import (
	"cmp"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/registry/cache"
)

const (
	// EnvCache names the environment variable with the directory of saved
	// tables.
	EnvCache = "FAIRLEAD_CACHE"
	// NoCache, in place of a directory, keeps nothing.
	NoCache = "off"
)

// CacheDir returns where tables that come from a bus are kept: in a folder of
// their own for each bus, below dir, FAIRLEAD_CACHE if that is empty, what
// systemd gives a service ($CACHE_DIRECTORY), or else "fairlead" in the user's
// cache directory ($XDG_CACHE_HOME). It is empty if nothing is to be kept.
func CacheDir(dir, busURL string) string {
	dir = cmp.Or(dir, os.Getenv(EnvCache), os.Getenv("CACHE_DIRECTORY"))
	if dir == NoCache {
		return ""
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "" // an account without a home
		}
		dir = filepath.Join(user, "fairlead")
	}
	return filepath.Join(dir, folderOf(busURL))
}

// folderOf makes a bus's address fit to be the name of a folder.
func folderOf(busURL string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r) {
			return r
		}
		return '_'
	}, strings.ReplaceAll(busURL, "://", "_"))
	return name[:min(len(name), 200)]
}

// openCache returns nil if nothing is to be kept. A bus in this very process
// is away only when the process is.
func (o Options) openCache(busURL string, log *slog.Logger) *cache.Store {
	dir := CacheDir(o.Cache, busURL)
	if dir == "" || o.InProcess != nil {
		return nil
	}
	return cache.New(cache.Options{Dir: dir, Logger: log})
}

// orNone keeps a missing store from looking like one.
func orNone(store *cache.Store) registry.Cache {
	if store == nil {
		return nil
	}
	return store
}
