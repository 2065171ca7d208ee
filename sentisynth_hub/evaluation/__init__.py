"""Paired statistics over a study's predictions: verdict, worth in human labels, explanations, label budget.

Everything here reads arrays of predicted labels; nothing trains, and nothing but numpy and scipy is needed. Start at
`report.evaluate_study`.
"""
