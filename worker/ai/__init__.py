"""From a customer's words to a validated decision: how hard it is, who may answer, what is asked, what came back."""
