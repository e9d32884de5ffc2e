"""The one composition root: what every door calls, and the only place that knows all the parts."""
