"""Messages of WhatsApp (`inbound`) and our answers (`reply`)."""
