package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"siprotate/batch"
)

// The chart's measures, in units of its view box.
const (
	chartWidth, chartHeight   = 760, 262
	chartLeft, chartRight     = 44, 12
	chartTop, chartBottom     = 22, 56
	maxColumns, maxBreaks     = 120, 8
	breakWidth                = 26   // of a gap in time
	laneTop, laneHeight       = 3, 8 // of the waits, below the plot
	maxColumnWidth, columnGap = 72, 0.15
	plotWidth                 = chartWidth - chartLeft - chartRight
	plotHeight                = chartHeight - chartTop - chartBottom
	ticksWanted, tickSpace    = 6, 84
)

// A chart is requests over time, laid out for the page's template. Heights are
// requests a minute. Minutes without a request are pauses; a long row of them is
// a break in the axis. Below the plot is a lane of the waits.
type chart struct {
	Width, Height          int
	Left, Right, Top, Base float64 // of the plot
	PlotHeight, MiddleY    float64
	LaneTop, LaneHeight    float64 // of the waits
	TickEnd                float64 // where a tick of the time axis ends
	Per                    int     // minutes that a column stands for
	Columns                []column
	Breaks                 []gap
	Ticks, Grid            []tick
	Allowance              *tick // nil if it is not known
	Again, Throttled       bool  // whether there are any
	Waits                  bool
}

// A column is the requests of one or more minutes.
type column struct {
	batch.Minute
	X, Width            float64
	FirstY, FirstHeight float64
	AgainY, AgainHeight float64
	Middle              float64
	Pause               bool
	WaitX, WaitWidth    float64 // as much of the column's time as was waited
}

// A gap is a long time without a request.
type gap struct {
	X, Middle, Width float64
	Label            string
}

// A tick is a place on an axis.
type tick struct {
	At    float64
	Label string
	Day   string // on the time axis, where the day is another one than before
}

// newChart returns nil if there was no request.
func newChart(minutes []batch.Minute, allowance float64) *chart {
	if len(minutes) == 0 {
		return nil
	}
	stretches := split(minutes)
	total := 0
	for _, s := range stretches {
		total += len(s)
	}
	c := &chart{
		Width: chartWidth, Height: chartHeight,
		Left: chartLeft, Right: chartWidth - chartRight, Top: chartTop, Base: chartTop + plotHeight,
		PlotHeight: plotHeight, MiddleY: chartTop + plotHeight/2,
		LaneTop: chartTop + plotHeight + laneTop, LaneHeight: laneHeight,
		TickEnd: chartTop + plotHeight + laneTop + laneHeight + 3,
		Per:     (total + maxColumns - 1) / maxColumns,
	}
	c.place(stretches)
	c.scale(allowance)
	c.ticks()
	return c
}

// split returns the minutes without holes, cut where there is no request for so
// long that the hole would take more room than the rest.
func split(minutes []batch.Minute) [][]batch.Minute {
	longest := 15
	for {
		var stretches [][]batch.Minute
		for i, m := range minutes {
			hole := 0
			if i > 0 {
				hole = int(m.Start.Sub(minutes[i-1].Start)/time.Minute) - 1
			}
			if i == 0 || hole > longest {
				stretches = append(stretches, nil)
				hole = 0
			}
			last := &stretches[len(stretches)-1]
			for ; hole > 0; hole-- {
				*last = append(*last, batch.Minute{Start: m.Start.Add(-time.Duration(hole) * time.Minute)})
			}
			*last = append(*last, m)
		}
		if len(stretches) <= maxBreaks+1 {
			return stretches
		}
		longest *= 2
	}
}

// place puts the stretches on the axis, one beside the other.
func (c *chart) place(stretches [][]batch.Minute) {
	columns := 0
	for _, s := range stretches {
		columns += (len(s) + c.Per - 1) / c.Per
	}
	room := float64(plotWidth - breakWidth*(len(stretches)-1))
	step := min(maxColumnWidth, room/float64(columns))
	x := float64(chartLeft)
	for i, s := range stretches {
		if i > 0 {
			before := stretches[i-1]
			away := s[0].Start.Sub(before[len(before)-1].Start)
			c.Breaks = append(c.Breaks, gap{round(x), round(x + breakWidth/2), breakWidth, "break of " + FormatDuration(away)})
			x += breakWidth
		}
		for part := range slices.Chunk(s, c.Per) {
			col := column{X: round(x + step*columnGap/2), Width: round(step * (1 - columnGap)), Middle: round(x + step/2)}
			col.Start = part[0].Start
			for _, m := range part {
				col.First += m.First
				col.Again += m.Again
				col.Throttled += m.Throttled
				col.Waited += waited(m)
			}
			col.Pause = col.First+col.Again+col.Throttled == 0
			share := min(1, col.Waited.Minutes()/float64(len(part)))
			col.WaitX, col.WaitWidth = round(x+step*(1-share)), round(step*share)
			c.Waits = c.Waits || col.WaitWidth > 0
			c.Again = c.Again || col.Again > 0
			c.Throttled = c.Throttled || col.Throttled > 0
			c.Columns = append(c.Columns, col)
			x += step
		}
	}
}

// waited returns how much of a minute was waited: all of one without a request.
func waited(m batch.Minute) time.Duration {
	if m.First+m.Again == 0 {
		return time.Minute
	}
	return m.Waited
}

// scale gives the columns their heights.
func (c *chart) scale(allowance float64) {
	top := allowance
	for _, col := range c.Columns {
		top = max(top, float64(col.First+col.Again)/float64(c.Per))
	}
	step := niceStep(top / 4)
	top = step * math.Ceil(top*1.02/step)
	height := func(perMinute float64) float64 { return round(perMinute / top * plotHeight) }
	for v := 0.0; v <= top; v += step {
		c.Grid = append(c.Grid, tick{At: round(c.Base - height(v)), Label: fmt.Sprintf("%g", v)})
	}
	for i := range c.Columns {
		col := &c.Columns[i]
		col.FirstHeight = height(float64(col.First) / float64(c.Per))
		col.AgainHeight = height(float64(col.Again) / float64(c.Per))
		col.FirstY = round(c.Base - col.FirstHeight)
		col.AgainY = round(col.FirstY - col.AgainHeight)
	}
	if allowance > 0 {
		c.Allowance = &tick{At: round(c.Base - height(allowance)), Label: fmt.Sprintf("allowed: %g a minute", math.Round(allowance*10)/10)}
	}
}

// ticks labels the time axis.
func (c *chart) ticks() {
	last, day := math.Inf(-1), ""
	for i, col := range c.Columns {
		if col.X-last < max(tickSpace, plotWidth/ticksWanted/2) || (i > 0 && col.X+tickSpace/2 > c.Right) {
			continue
		}
		t := tick{At: col.X, Label: col.Start.Format("15:04")}
		if d := col.Start.Format("2 Jan 2006"); d != day {
			t.Day, day = d, d
		}
		c.Ticks = append(c.Ticks, t)
		last = col.X
	}
}

// niceStep returns the smallest of 1, 2, 5, 10, 20, 50 … that is not below v.
func niceStep(v float64) float64 {
	for power := 1.0; ; power *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if factor*power >= v {
				return factor * power
			}
		}
	}
}

func round(v float64) float64 { return math.Round(v*10) / 10 }
