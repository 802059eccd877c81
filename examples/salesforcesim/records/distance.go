package records

import (
	"math"
	"strconv"
	"strings"
)

// distance binds DISTANCE(address, GEOLOCATION(latitude, longitude), 'mi'). Latitude and
// longitude of a compound address stand in the fields beside it.
func (b *binder) distance(n exprNode) (*expression, *Error) {
	wrong := b.refuseExpr(n, "DISTANCE takes an address, GEOLOCATION(latitude, longitude) and 'mi' or 'km'")
	if len(n.args) != 3 || n.args[2].literal == nil {
		return nil, wrong
	}
	radius := map[string]float64{"mi": 3958.76, "km": 6371.01}[strings.ToLower(n.args[2].literal.text)]
	place, ok := geolocation(n.args[1])
	if radius == 0 || !ok || n.args[0].fn != "" || n.args[0].literal != nil {
		return nil, wrong
	}
	c, refused := b.column(n.args[0].path)
	if refused != nil {
		return nil, refused
	}
	if c.field.Type != typeAddress {
		return nil, wrong
	}
	prefix := strings.TrimSuffix(c.field.Name, "Address")
	latitude, longitude := c, c
	latitude.field, longitude.field = c.owner.field(prefix+"Latitude"), c.owner.field(prefix+"Longitude")
	e := &expression{t: typeDouble, name: c.field.Name, key: "distance(" + c.key() + ")", at: n.at, fn: "DISTANCE"}
	e.eval = func(x scope) any {
		if x.r == nil {
			return nil
		}
		lat, known := latitude.read(b.View, x.r).(float64)
		lon, too := longitude.read(b.View, x.r).(float64)
		if !known || !too {
			return nil
		}
		return radius * angle(lat, lon, place[0], place[1])
	}
	return e, nil
}

// geolocation reads GEOLOCATION(latitude, longitude) of two numbers.
func geolocation(n exprNode) (place [2]float64, ok bool) {
	if n.fn != "GEOLOCATION" || len(n.args) != 2 {
		return place, false
	}
	for i, arg := range n.args {
		if arg.literal == nil || arg.literal.kind != tokenNumber {
			return place, false
		}
		place[i], _ = strconv.ParseFloat(arg.literal.text, 64)
	}
	return place, math.Abs(place[0]) <= 90 && math.Abs(place[1]) <= 180
}

// angle is the angle between two places on a sphere in radians, given in degrees
// (haversine formula).
func angle(lat1, lon1, lat2, lon2 float64) float64 {
	radians := math.Pi / 180
	square := func(x float64) float64 { return x * x }
	h := square(math.Sin((lat2-lat1)*radians/2)) +
		math.Cos(lat1*radians)*math.Cos(lat2*radians)*square(math.Sin((lon2-lon1)*radians/2))
	return 2 * math.Asin(math.Min(1, math.Sqrt(h)))
}
