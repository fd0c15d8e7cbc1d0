"""The operators' page: what the service does, what it costs, what needs somebody's hand."""
