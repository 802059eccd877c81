package reach

import "testing"

// How many records a query can read is counted exactly until it cannot be told any more.
func TestCountsOfRows(t *testing.T) {
	t.Parallel()
	half := Unlimited / 2
	for _, tt := range []struct{ a, b, want int }{
		{0, Unlimited, 0}, {Unlimited, 0, 0}, {3, 4, 12}, {half, 2, half * 2}, {2, half, half * 2}, {half + 1, 2, Unlimited}, {Unlimited, 1, Unlimited}, {Unlimited, 2, Unlimited},
	} {
		if got := multiply(tt.a, tt.b); got != tt.want {
			t.Errorf("%d times %d is %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	for _, tt := range []struct{ a, b, want int }{
		{0, 0, 0}, {Unlimited, 0, Unlimited}, {Unlimited - 1, 1, Unlimited}, {Unlimited, 1, Unlimited}, {Unlimited, Unlimited, Unlimited}, {Unlimited - 2, 1, Unlimited - 1},
	} {
		if got := add(tt.a, tt.b); got != tt.want {
			t.Errorf("%d and %d are %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
