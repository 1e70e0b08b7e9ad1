from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

digits = load_digits()
x, xt, y, yt = train_test_split(digits.data, digits.target, test_size=0.3)
model = SVC(gamma=0.001, C=10)
model.fit(x, y)
print(model.score(xt, yt))
