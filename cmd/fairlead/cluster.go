package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairlead.dev/bus/embedded"
)

// fewestNodes of which one can be away. Two are worse than one: both have to
// be there.
const fewestNodes = 3

// clusterFlags make the bus of a `server` one of several.
type clusterFlags struct {
	addr, advertise string
	peers           []string
	name, node      string
	natsAdvertise   string
	password        string
	sysPassword     string
	appPassword     string
}

func (f *clusterFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.addr, "cluster-addr", "", "where this node listens for the others; makes the bus one of a cluster")
	flags.StringSliceVar(&f.peers, "cluster-peers", nil, "HOST:PORT of the nodes' --cluster-addr, separated by commas; this node's may be among them")
	flags.StringVar(&f.name, "cluster-name", "fairlead", "the cluster's name, the same on all nodes")
	flags.StringVar(&f.advertise, "cluster-advertise", "", "HOST:PORT that the others should use instead of --cluster-addr")
	flags.StringVar(&f.node, "node-name", "", "this node's name, unique in the cluster (default a random one, kept in --data)")
	flags.StringVar(&f.natsAdvertise, "nats-advertise", "", "HOST:PORT at which clients reach this node's bus (default --nats-addr)")
	flags.StringVar(&f.password, "cluster-password", "", "of the nodes to each other; better given in FAIRLEAD_CLUSTER_PASSWORD")
	flags.StringVar(&f.sysPassword, "sys-password", "", "of account SYS, the same on all nodes; better given in FAIRLEAD_SYS_PASSWORD")
	flags.StringVar(&f.appPassword, "app-password", "", "of account APP, the same on all nodes; better given in FAIRLEAD_APP_PASSWORD")
}

// cluster returns nil for a single server.
func (f *clusterFlags) cluster() *embedded.Cluster {
	if f.addr == "" {
		return nil
	}
	return &embedded.Cluster{
		Name: f.name, Listen: f.addr, Advertise: f.advertise, Peers: f.peers, Password: f.password,
	}
}

// check names the first flag that is wrong; the passwords have one of their own.
func (f *clusterFlags) check() error {
	for _, peer := range f.peers {
		if _, port, err := splitAddress("cluster-peers", peer); err != nil || port == 0 {
			return usagef("--cluster-peers: must be HOST:PORT of each node, separated by commas, got %q", peer)
		}
	}
	if _, port, _ := splitAddress("cluster-addr", f.addr); port == 0 {
		return usagef("--cluster-addr: must have a port that the other nodes can name, got 0")
	}
	if size := f.cluster().Size(); size < fewestNodes {
		return usagef("--cluster-peers: must name the nodes of a cluster of three or more, got %d", size)
	}
	return nil
}

// checkUnused is for where the bus is somebody else's.
func (f *clusterFlags) checkUnused() error {
	if f.addr != "" {
		return usagef("--cluster-addr: is for the bus of this node, and --nats-url names another one")
	}
	return nil
}

func (f *clusterFlags) checkSingle() error {
	if len(f.peers) > 0 {
		return usagef("--cluster-peers: needs --cluster-addr, where this node listens for the others")
	}
	return nil
}

// checkPasswords wants all of them: those that a node would make up for itself
// would be no other node's.
func (f *clusterFlags) checkPasswords(atlasPassword string) error {
	given := map[string]string{
		"atlas-password": atlasPassword, "sys-password": f.sysPassword, "app-password": f.appPassword, "cluster-password": f.password,
	}
	var missing []string
	for flag, value := range given {
		if value == "" {
			missing = append(missing, environmentName(flag))
		}
		if strings.ContainsAny(value, "\"\\\n") {
			return usagef("--%s: must have no quotes, backslashes or line ends", flag)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		return usagef("--cluster-addr: the nodes share their passwords; missing in the environment: %s", strings.Join(missing, ", "))
	}
	return nil
}

// mayListen tells what would keep the bus from opening the nodes' address.
func (f *clusterFlags) mayListen() error {
	if f.addr == "" {
		return nil
	}
	return mayListen("cluster-addr", f.addr)
}

// replicasOn is how many copies to keep on a bus of somebody else's: three
// where at least three servers are named.
func replicasOn(urls string) int {
	if strings.Count(urls, ",")+1 >= fewestNodes {
		return fewestNodes
	}
	return 0
}

// checkReplicas is for the flag that overrules all that.
func checkReplicas(n int) error {
	if n < 0 || n > 5 {
		return usagef("--replicas: must be between 1 and 5, or 0 for what fits, got %d", n)
	}
	return nil
}
