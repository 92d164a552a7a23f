"""What an audit can tell, where the answer is known."""
