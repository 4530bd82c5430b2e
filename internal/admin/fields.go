package admin

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// etag names a version of an object.
func etag(revision int64) string { return strconv.FormatInt(revision, 36) }

// matches reports whether the etag, if one was given, is that of the revision.
func matches(given string, revision int64) error {
	if given != "" && given != etag(revision) {
		return sqlstore.ErrConflict
	}
	return nil
}

// masked takes the fields that the mask names over.
func masked[M any](fields map[string]func(to, from M), to, from M, mask *fieldmaskpb.FieldMask) error {
	known := strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	if len(mask.GetPaths()) == 0 {
		return invalid("update_mask", "it names no field; name some of %s", known)
	}
	for _, path := range mask.GetPaths() {
		take := fields[path]
		if take == nil {
			return invalid("update_mask", "%q cannot be changed; name some of %s", clip(path), known)
		}
		take(to, from)
	}
	return nil
}

// timestamp returns the time as a message; none for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// instant returns the time of a message; the zero time for none.
func instant(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if t.CheckValid() != nil || t.AsTime().IsZero() {
		return time.Time{}, invalid(field, "it is not a time")
	}
	return t.AsTime(), nil
}

// span returns the length of a duration; false if there is none.
func span(field string, d *durationpb.Duration) (length time.Duration, given bool, err error) {
	if d == nil {
		return 0, false, nil
	}
	const most = 100 * 366 * 24 * time.Hour
	if d.CheckValid() != nil || d.AsDuration() > most {
		return 0, false, invalid(field, "it is not a duration of up to a hundred years")
	}
	return d.AsDuration(), true, nil
}
