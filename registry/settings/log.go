package settings

import (
	"errors"
	"fmt"
	"log/slog"

	"fairlead.dev/registry"
)

// tell logs how a reading went if that is something else than the last time.
// Values are never logged.
func (k *Keeper) tell(s *state, all registry.Settings, err error) {
	word, level := "", slog.LevelDebug
	switch {
	case k.ctx.Err() != nil:
		return
	case errors.Is(err, registry.ErrUnavailable):
		word = "settings cannot be read now, what is known goes on to count"
	case err != nil:
		word, level = "settings cannot be read: "+err.Error(), slog.LevelWarn
	case len(all.Invalid) > 0:
		word, level = fmt.Sprintf("settings that make no sense do not count: %v", all.Invalid), slog.LevelWarn
	case s.told != "":
		k.log.Debug("settings are read again")
	}
	if word != "" && word != s.told {
		k.log.Log(k.ctx, level, word)
	}
	s.told = word
}
