"""What is to be maximised: events as arrays, free parameters, the log-likelihood and what is held likely before."""
