"""What WhatsApp sends us (`inbound`) and what we send back (`reply`)."""
