package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAListEqualsAPlainOne follows random changes in a list of several blocks
// and in a slice.
func TestAListEqualsAPlainOne(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var plain []Instance
	for i := range 3 * blockMost {
		plain = append(plain, sample("identity", fmt.Sprintf("i%04d", 2*i), 1))
	}
	l := newList(slices.Clone(plain))
	for step := range 4000 {
		in := sample("identity", fmt.Sprintf("i%04d", random.IntN(6*blockMost)), step)
		at, found := slices.BinarySearchFunc(plain, in, byID)
		switch {
		case step%2 == 0 || step > 3000:
			l = l.without(in.ID)
			if found {
				plain = slices.Delete(plain, at, at+1)
			}
		case found:
			l, plain[at] = l.with(in), in
		default:
			l, plain = l.with(in), slices.Insert(plain, at, in)
		}
		checkList(t, l, plain)
	}
}

func (l list) with(in Instance) list {
	e := listEdit{list: l}
	e.put(&in)
	return e.list
}

func (l list) without(id string) list {
	e := listEdit{list: l}
	e.drop(id)
	return e.list
}

func checkList(t *testing.T, l list, want []Instance) {
	t.Helper()
	got := l.flat()
	same := func(a, b Instance) bool { return a.ID == b.ID && a.Port == b.Port }
	if l.count != len(want) || !slices.EqualFunc(got, want, same) {
		t.Fatalf("%d instances, expected %d, or not the same", len(got), len(want))
	}
	for _, block := range l.blocks {
		if len(block) == 0 || len(block) > blockMost {
			t.Fatalf("a block of %d", len(block))
		}
	}
}

func TestAListIsEmptiedAndFilledAgain(t *testing.T) {
	l := newList(nil).with(sample("identity", "b", 1)).with(sample("identity", "a", 1)).without("x")
	checkList(t, l, []Instance{sample("identity", "a", 1), sample("identity", "b", 1)})
	l = l.without("a").without("b")
	checkList(t, l, nil)
	checkList(t, l.with(sample("identity", "c", 2)), []Instance{sample("identity", "c", 2)})
}

func TestAChangeLeavesTheOldListAlone(t *testing.T) {
	var plain []Instance
	for i := range 5 * blockFill {
		plain = append(plain, sample("identity", fmt.Sprintf("i%04d", i), 1))
	}
	before := newList(slices.Clone(plain))
	before.with(sample("identity", "i0100", 2)).with(sample("identity", "i0100a", 2)).without("i0200")
	checkList(t, before, plain)
}
