// Package logfile keeps numbered records in files that only grow. It knows neither what a
// record says nor how it is proven: package audit writes entries with it, and hashes them.
//
// # On disk
//
// A directory holds the segments of one log, each named after the number of its first record
// (20 digits and ".log"), and the files "lock" and "lock.next". A segment begins with one line,
//
//	#segment 1 ORIGIN FIRST STATE
//
// the log's name, the number of the first record, and what the [Follower] had to remember of
// all records before it. Then come groups: a line "#BYTES CRC" (both 8 hexadecimal digits; the
// CRC-32C of what follows), and so many bytes of records, one a line. So a segment without the
// lines that begin with # is the log as it is exported, and any segment can be read without
// those before it. Behind the last group of the last segment there may be room: # up to the end of
// the file.
//
// # Writing
//
// A group is written with one write and one fdatasync (fsync where there is none); only then
// does [Log.Append] return. Several processes may append to one log: each group is
// written under an exclusive lock, which processes get in turn, after whatever other processes have
// appended has been read and given to the Follower. A full segment is synced, and the next one
// appears whole, by a rename. A process that writes many groups makes room for them ahead, so
// that a sync need not write down how long the file has become.
//
// # After a crash
//
// A process that dies in the middle of a write leaves a group that is not whole at the end of the
// last segment. Nobody was told that it was written, so whoever appends next cuts it off, and
// says so in its own group (see [Group.Cut]). A group that is not whole with a whole one behind
// it is not from a crash, because a group is begun after the one before it was synced: that
// is [*Damage], nothing is cut, and nothing is appended until a person has looked.
//
// After an error of write or sync the segment is cut back to where it ended; if even that is
// refused, the next Append begins with it. So a full or vanished disk refuses what comes and
// loses nothing, and appending goes on when it is back. Locks and syncs of network file
// systems do not hold what is promised here: where the system tells that a directory is on
// one, [Open] refuses it.
package logfile
