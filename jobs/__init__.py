"""The five jobs and the rooms behind them."""
