// The peer of run_elasticsearch: go-elasticsearch's BulkIndexer over the same file.  bulk_indexer URL FILE
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esutil"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The id of {"id":17,...}.
func id(line []byte) string {
	return string(line[6:bytes.IndexByte(line, ',')])
}

func main() {
	client, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{os.Args[1]}})
	must(err)
	// Its own defaults, but for the workers: as many as there are cores, with 5 MB a request.
	indexer, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: client, Index: "bench"})
	must(err)
	file, err := os.Open(os.Args[2])
	must(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		line := append([]byte(nil), lines.Bytes()...)
		must(indexer.Add(context.Background(), esutil.BulkIndexerItem{Action: "index", DocumentID: id(line), Body: bytes.NewReader(line)}))
	}
	must(lines.Err())
	must(indexer.Close(context.Background()))
	stats := indexer.Stats()
	if stats.NumFailed > 0 {
		fmt.Fprintln(os.Stderr, stats.NumFailed, "documents failed")
		os.Exit(1)
	}
}
