import matplotlib.pyplot as plt
import pandas as pd

sales = pd.read_csv("sales.csv", parse_dates=["day"])
sales.groupby(sales.day.dt.month).amount.sum().plot(kind="bar")
plt.savefig("sales.png")
