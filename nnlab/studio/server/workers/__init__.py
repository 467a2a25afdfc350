"""The training processes as the server sees them: started, in reserve, or forked."""
