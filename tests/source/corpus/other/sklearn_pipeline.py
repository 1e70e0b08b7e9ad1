import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

pipe = Pipeline([("scale", StandardScaler()), ("forest", RandomForestClassifier(n_estimators=200, max_depth=8))])
x = np.random.rand(100, 4)
pipe.fit(x, x[:, 0] > 0.5)
