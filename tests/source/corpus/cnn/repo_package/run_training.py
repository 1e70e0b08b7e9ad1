from src.pets.training import run

run(epochs=3)
