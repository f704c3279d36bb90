"""Word grounding after CVCL (Vong et al. 2024): the model, its training and its evaluation."""
