package access

import (
	"fmt"
	"strings"
)

const confHead = `# Who is let in: made from users.json by "fairlead init" and "fairlead
# credentials", which also replace it. There are public keys here, no secrets.
`

// Conf is the users as a NATS server reads them: the three lists that
// accounts.conf refers to.
func (all Users) Conf() string {
	var b strings.Builder
	b.WriteString(confHead)
	for _, account := range []string{"SYS", "ATLAS", "APP"} {
		fmt.Fprintf(&b, "\nFAIRLEAD_%s_USERS: [\n", account)
		for _, u := range all {
			if u.account() == account {
				b.WriteString(u.conf())
			}
		}
		b.WriteString("]\n")
	}
	return b.String()
}

func (u User) account() string {
	switch u.Grant.Role {
	case Atlas:
		return "ATLAS"
	case Sys:
		return "SYS"
	}
	return "APP"
}

func (u User) conf() string {
	p := u.Permissions()
	if len(p.Publish) == 0 {
		return fmt.Sprintf("  # %s\n  { nkey: %s }\n", u.Name, u.Key)
	}
	return fmt.Sprintf("  # %s\n  { nkey: %s, permissions: {\n    publish: { allow: %s, deny: %s }\n    subscribe: { allow: %s, deny: %s }\n  } }\n",
		u.Name, u.Key, list(p.Publish), list(p.DenyPublish), list(p.Subscribe), list(p.DenySubscribe))
}

func list(subjects []string) string {
	quoted := make([]string, len(subjects))
	for i, s := range subjects {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
