"""Which credit assignment points uphill: objectives judged to first order from one set of rollouts, without training."""
