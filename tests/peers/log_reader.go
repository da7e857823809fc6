// Verifies a log of ours by Go's own libraries: its note, an entry, and that it goes on from a smaller one.
//
//	log_reader FOLDER KEY INDEX OLD_SIZE OLD_ROOT
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tiles reads the files of c2sp.org/tlog-tiles, which have no height in their names.
type tiles string

func (t tiles) Height() int                         { return 8 }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(string(t), name))
		if err != nil {
			return nil, err
		}
		read = append(read, content)
	}
	return read, nil
}

func entry(folder string, index, size int64) []byte {
	name := fmt.Sprintf("tile/entries/%03d", index/256)
	if width := size - index/256*256; width < 256 {
		name += fmt.Sprintf(".p/%d", width)
	}
	bundle, err := os.ReadFile(filepath.Join(folder, name))
	check(err)
	for range index % 256 {
		bundle = bundle[2+binary.BigEndian.Uint16(bundle):]
	}
	return bundle[2 : 2+binary.BigEndian.Uint16(bundle)]
}

func main() {
	folder, oldSize := os.Args[1], os.Args[4]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	content, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err)
	opened, err := note.Open(content, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size, Hash: tlog.Hash(root)}
	reader := tlog.TileHashReader(tree, tiles(folder))

	index, err := strconv.ParseInt(os.Args[3], 10, 64)
	check(err)
	leaf := entry(folder, index, size)
	inclusion, err := tlog.ProveRecord(size, index, reader)
	check(err)
	check(tlog.CheckRecord(inclusion, size, tree.Hash, index, tlog.RecordHash(leaf)))

	old, err := strconv.ParseInt(oldSize, 10, 64)
	check(err)
	oldRoot, err := base64.StdEncoding.DecodeString(os.Args[5])
	check(err)
	consistency, err := tlog.ProveTree(size, old, reader)
	check(err)
	check(tlog.CheckTree(consistency, size, tree.Hash, old, tlog.Hash(oldRoot)))
	fmt.Println(string(leaf))
}
