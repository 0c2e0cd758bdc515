package servers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	clusterMasters = 3
	slots          = 16384
	// NodeTimeout is after what silence the other nodes of a Cluster take one for failed.
	NodeTimeout = 2 * time.Second
)

// Cluster starts three masters that share the slots, each with the replicas that Options name. They know
// each other from the beginning: meeting takes seconds.
func Cluster(o Options) (*Redis, error) {
	return again(func() (*Redis, error) {
		r, err := prepare(o)
		if err != nil {
			return r, err
		}
		r.masters = clusterMasters
		ids := map[*Server]string{}
		for i := range clusterMasters * (1 + o.Replicas) {
			s, err := r.add(fmt.Sprintf("redis-%d", i))
			if err != nil {
				return r, err
			}
			if s.bus, err = freePort(); err != nil {
				return r, err
			}
			s.args = append(s.args, "--cluster-enabled", "yes", "--cluster-node-timeout", fmt.Sprint(NodeTimeout.Milliseconds()),
				"--cluster-port", fmt.Sprint(s.bus), "--cluster-config-file", "nodes.conf", "--cluster-replica-validity-factor", "0",
				"--cluster-migration-barrier", "100")
			id := make([]byte, 20)
			_, _ = rand.Read(id)
			ids[s] = hex.EncodeToString(id)
		}
		for _, s := range r.Servers {
			if err := os.WriteFile(filepath.Join(s.Dir(), "nodes.conf"), r.nodes(s, ids), 0o600); err != nil {
				return r, fmt.Errorf("write a node's view of the Cluster: %w", err)
			}
		}
		if err := each(r.Servers, (*Server).Run); err != nil {
			return r, err
		}
		var addrs []string
		for _, s := range r.Servers[:clusterMasters] {
			addrs = append(addrs, s.Addr)
		}
		r.URL = r.scheme("cluster") + strings.Join(addrs, ",")
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		return r, r.Settle(ctx)
	})
}

// nodes is a node's view of the Cluster as it keeps it in its file.
func (r *Redis) nodes(of *Server, ids map[*Server]string) []byte {
	var b strings.Builder
	for i, s := range r.Servers {
		flags, master, epoch, has := "master", "-", i+1, ""
		if i < clusterMasters {
			has = fmt.Sprintf(" %d-%d", i*slots/clusterMasters, (i+1)*slots/clusterMasters-1)
		} else {
			flags, master, epoch = "slave", ids[r.Servers[i%clusterMasters]], i%clusterMasters+1
		}
		if s == of {
			flags = "myself," + flags
		}
		fmt.Fprintf(&b, "%s %s@%d %s %s 0 0 %d connected%s\n", ids[s], s.Addr, s.bus, flags, master, epoch, has)
	}
	fmt.Fprintf(&b, "vars currentEpoch %d lastVoteEpoch 0\n", clusterMasters)
	return []byte(b.String())
}

// settleCluster waits until all nodes see all slots served and none failed.
func (r *Redis) settleCluster(ctx context.Context) error {
	for _, s := range r.Servers {
		err := until(ctx, s.Name+" does not see a whole Cluster", func() (bool, error) {
			info, err := s.admin.ClusterInfo(ctx).Result()
			if err != nil {
				return false, err
			}
			nodes, err := s.admin.ClusterNodes(ctx).Result()
			if err != nil {
				return false, err
			}
			ok := strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(r.Servers))) &&
				!strings.Contains(nodes, "fail") && !strings.Contains(nodes, "disconnected")
			return ok, errors.New(nodes)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Owner gives the master of a slot.
func (r *Redis) Owner(ctx context.Context, slot int) (*Server, error) {
	for _, asked := range r.Servers {
		ranges, err := asked.admin.Do(ctx, "CLUSTER", "SLOTS").Slice()
		if err != nil {
			continue
		}
		for _, held := range ranges { // first slot, last slot, then its master and the replicas: address, port, id …
			parts, _ := held.([]any)
			if len(parts) < 3 {
				continue
			}
			first, _ := parts[0].(int64)
			last, _ := parts[1].(int64)
			master, _ := parts[2].([]any)
			if int64(slot) < first || int64(slot) > last || len(master) < 2 {
				continue
			}
			for _, s := range r.Servers {
				if fmt.Sprint(master[1]) == s.port() {
					return s, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("nobody says who has slot %d", slot)
}

// Slot is the slot of a key.
func Slot(ctx context.Context, s *Server, key string) (int, error) {
	slot, err := s.admin.ClusterKeySlot(ctx, key).Result()
	if err != nil {
		return 0, fmt.Errorf("ask for the slot of %s: %w", key, err)
	}
	return int(slot), nil
}

// migrated is how many keys go in one step.
const migrated = 20

// Move moves a slot with its keys to another master, as redis-cli --cluster reshard does it, while the
// Cluster is used. between, where not nil, is called between two steps.
func (r *Redis) Move(ctx context.Context, slot int, to *Server, between func()) error {
	from, err := r.Owner(ctx, slot)
	if err != nil || from == to {
		return err
	}
	source, err := myID(ctx, from)
	if err != nil {
		return err
	}
	target, err := myID(ctx, to)
	if err != nil {
		return err
	}
	step := func(what string, err error) error {
		if err != nil {
			return fmt.Errorf("move slot %d: %s: %w", slot, what, err)
		}
		return nil
	}
	if err := step("import", to.admin.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", source).Err()); err != nil {
		return err
	}
	if err := step("migrate", from.admin.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", target).Err()); err != nil {
		return err
	}
	for {
		keys, err := from.admin.ClusterGetKeysInSlot(ctx, slot, migrated).Result()
		if err := step("list keys", err); err != nil {
			return err
		}
		if len(keys) == 0 {
			break
		}
		command := []any{"MIGRATE", "127.0.0.1", to.port(), "", 0, 5000}
		if p := r.access.password; p != "" {
			command = append(command, "AUTH", p)
		}
		command = append(command, "KEYS")
		for _, key := range keys {
			command = append(command, key)
		}
		if err := step("move keys", from.admin.Do(ctx, command...).Err()); err != nil {
			return err
		}
		if between != nil {
			between()
		}
	}
	for _, s := range append([]*Server{to, from}, r.Servers...) {
		err := s.admin.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", target).Err()
		if err != nil && (s == to || s == from) { // replicas refuse, and the others hear of it anyway
			return step("give it", err)
		}
	}
	return nil
}

func myID(ctx context.Context, s *Server) (string, error) {
	id, err := s.admin.Do(ctx, "CLUSTER", "MYID").Text()
	if err != nil {
		return "", fmt.Errorf("ask %s for its id: %w", s.Name, err)
	}
	return id, nil
}

// Masters gives those that are alive and masters now.
func (r *Redis) Masters(ctx context.Context) (list []*Server) {
	for _, s := range r.Servers {
		if role(ctx, s) == "master" {
			list = append(list, s)
		}
	}
	return list
}
