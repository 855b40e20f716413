package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// nameHead is how much of the cache's name goes into a Job's name. With
	// the hash a Job's name has at most 51 bytes, so that the pod's name,
	// which adds six, fits a host name's label, and the Job's the 63 bytes of
	// the label batch.kubernetes.io/job-name.
	nameHead = 40
	hashSize = 10 // hexadecimal digits
)

// Name returns the name of a Job. The same node record, operation and sequence
// give the same name, so a create that was forgotten is found again. It is a
// DNS label whatever the cache is called.
func Name(cacheName string, nodeCacheUID types.UID, operation string, sequence int64) string {
	head := label(cacheName, nameHead)
	if head == "" {
		head = "imagecache"
	}
	return head + "-" + hash(string(nodeCacheUID), operation, strconv.FormatInt(sequence, 10))
}

// LabelValue returns name as a label value: itself where that is allowed, else
// cut, with a hash that keeps two long names apart.
func LabelValue(name string) string {
	if len(validation.IsValidLabelValue(name)) == 0 {
		return name
	}
	head := label(name, validation.LabelValueMaxLength-hashSize-1)
	return strings.TrimPrefix(head+"-"+hash(name), "-")
}

// label returns what a DNS label can hold of s, at most size bytes, without
// the dashes and dots that a cut may leave at its ends.
func label(s string, size int) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, s)
	mapped = strings.TrimLeft(mapped, "-")
	return strings.TrimRight(mapped[:min(size, len(mapped))], "-")
}

// hash returns hexadecimal digits of the parts. None of them holds a zero byte.
func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:hashSize]
}
