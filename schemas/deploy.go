package schemas

// DeployVersionChanged says that an instance registered with another version
// than it had before. However a version got there, this tells of it.
type DeployVersionChanged struct {
	AboutInstance
	Incarnation string `json:"incarnation,omitempty"`
	From        string `json:"from,omitempty"`
	To          string `json:"to,omitempty"`
}

// EventType implements [Data].
func (DeployVersionChanged) EventType() Type { return TypeDeployVersionChanged }

// AboutDeploy is what every event of a deploy carries.
type AboutDeploy struct {
	AboutService
	// Deploy is the same in all events of one deploy.
	Deploy  string `json:"deploy"`
	Version string `json:"version"`
	// PreviousVersion is empty for a service's first deploy.
	PreviousVersion string `json:"previous_version,omitempty"`
	// Owner is who deployed.
	Owner string `json:"owner,omitempty"`
}

// DeployStarted says that a version is being put in place.
type DeployStarted struct {
	AboutDeploy
	// Instances is how many will be replaced.
	Instances int    `json:"instances"`
	Reason    string `json:"reason,omitempty"`
}

// EventType implements [Data].
func (DeployStarted) EventType() Type { return TypeDeployStarted }

// DeployFinished says that every instance runs the version.
type DeployFinished struct {
	AboutDeploy
	Instances int `json:"instances"`
	// TookMS is the time since the deploy started, in milliseconds.
	TookMS int64 `json:"took_ms"`
}

// EventType implements [Data].
func (DeployFinished) EventType() Type { return TypeDeployFinished }

// DeployFailed says that a deploy stopped half way. What runs now is told by
// the registry.
type DeployFailed struct {
	AboutDeploy
	// Instance is the one that failed, if it was one.
	Instance string `json:"instance,omitempty"`
	Problem  string `json:"problem"`
	TookMS   int64  `json:"took_ms"`
}

// EventType implements [Data].
func (DeployFailed) EventType() Type { return TypeDeployFailed }

// DeployRolledBack says that a deploy was undone: PreviousVersion runs again.
type DeployRolledBack struct {
	AboutDeploy
	Reason string `json:"reason,omitempty"`
	TookMS int64  `json:"took_ms"`
}

// EventType implements [Data].
func (DeployRolledBack) EventType() Type { return TypeDeployRolledBack }
