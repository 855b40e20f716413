package plan

import "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"

// Bounds of a NodeCache in bytes, as JSON. The API server takes about 1.5 MiB
// (etcd's --max-request-bytes); 512 KiB leave room for names of any length.
const (
	maxRecordBytes  = 512 << 10
	maxMessageBytes = 96 << 10
	// recordBytes is what a record takes without its texts.
	recordBytes = 160
)

// bound leaves out what can be missed when a node has very many images: long
// messages first, of which the reasons stay; then digests and sizes, which the
// node tells at any time.
func (l *ledger) bound() {
	size, messages := 0, 0
	for i := range l.status.Images {
		rec := &l.status.Images[i]
		if messages += len(rec.Message); messages > maxMessageBytes {
			rec.Message = ""
		}
		size += bytesOfRecord(rec)
	}
	if size <= maxRecordBytes {
		return
	}
	for i := range l.status.Images {
		l.status.Images[i].Digest, l.status.Images[i].SizeBytes = "", 0
	}
}

func bytesOfRecord(rec *v1alpha2.ImageRecord) int {
	size := recordBytes + len(rec.Image) + len(rec.Identity) + len(rec.Message) + 4*len(rec.Claims)
	if rec.Digest != "" {
		size += len(rec.Digest) + len(`"digest":"","sizeBytes":1234567890,`)
	}
	return size
}
