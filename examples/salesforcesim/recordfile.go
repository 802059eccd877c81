package salesforcesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// savedRecords is the file of one org's records. It is small enough (a demonstration has
// a few hundred) to be written anew after every change.
type savedRecords struct {
	Serial  map[string]int           // by key prefix: the last number given
	Writes  int                      // orders the recent items
	Records map[string][]savedRecord // by object, in order of creation
}

// savedRecord is one record in the file; its id is among the values.
type savedRecord struct {
	Values    map[string]any
	Changed   int
	DeletedAt time.Time `json:",omitzero"` // set: it is in the Recycle Bin
}

// openDataset returns the records that file keeps, or the seeded ones where there is no
// such file yet. From then on every change is in the file before it is answered. Without
// a file name, records live in memory alone.
func openDataset(now func() time.Time, file string, log *slog.Logger) (*dataset, error) {
	d := newDataset(now)
	if file == "" {
		return d, nil
	}
	d.file, d.log = file, log
	content, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := d.write(); err != nil {
			return nil, fmt.Errorf("saving the simulator's records: %w", err)
		}
		return d, nil
	case err != nil:
		return nil, fmt.Errorf("reading the simulator's records: %w", err)
	}
	if err := d.load(content); err != nil {
		return nil, fmt.Errorf("reading the simulator's records %s: %w", file, err)
	}
	return d, nil
}

// load replaces the records by those of a file. After an error the dataset is of no use.
func (d *dataset) load(content []byte) error {
	var saved savedRecords
	if err := json.Unmarshal(content, &saved); err != nil {
		return err
	}
	d.clear()
	maps.Copy(d.serial, saved.Serial)
	d.writes = saved.Writes
	for name, records := range saved.Records {
		s := d.schema.object(name)
		if s == nil {
			return fmt.Errorf("object %q: no such object", name)
		}
		for _, x := range records {
			id, _ := x.Values["Id"].(string)
			if !validID(id, s.Prefix) || d.byID[id] != nil {
				return fmt.Errorf("object %s: id %q: want an id of the object, once", name, id)
			}
			r := &record{object: s, id: id, values: x.Values, changed: x.Changed, deletedAt: x.DeletedAt}
			d.rows[s] = append(d.rows[s], r)
			d.byID[id] = r
		}
	}
	return nil
}

// save writes the file where something changed since it was written last; the caller
// holds mu. Failure is logged, not answered, as for the state: the simulator still works,
// and the next call tries again.
func (d *dataset) save() {
	if d.file == "" || !d.unsaved {
		return
	}
	if err := d.write(); err != nil {
		d.log.Error("saving the simulator's records", "error", err)
	}
}

func (d *dataset) write() error {
	saved := savedRecords{Serial: d.serial, Writes: d.writes, Records: map[string][]savedRecord{}}
	for s, rows := range d.rows {
		for _, r := range rows {
			saved.Records[s.Name] = append(saved.Records[s.Name], savedRecord{r.values, r.changed, r.deletedAt})
		}
	}
	content, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	if err := replaceFile(d.file, content); err != nil {
		return err
	}
	d.unsaved = false
	return nil
}

// replaceFile writes a file as a whole or not at all, whenever the process or the machine
// stops: until the new content is on disk, the name stands for the old one.
func replaceFile(name string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".salesforcesim-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
