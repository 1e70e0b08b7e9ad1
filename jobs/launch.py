"""Job 2, launch: what was pushed, with which data, and the environment that it needs."""




if __name__ == "__main__":
    from jobs.command import main

    main("launch")
