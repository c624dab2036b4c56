from .stores import JoinReport as JoinReport, Scaling as Scaling, join_like as join_like, join_stores as join_stores
