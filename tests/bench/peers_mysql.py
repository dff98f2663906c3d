"""What others do with the same table: python peers_mysql.py PEER HOST PORT [OUT]; needs connectorx, polars, pymysql, orjson, dlt."""
import sys

peer, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
out = sys.argv[4] if len(sys.argv) > 4 else None


def driver(**more):
    import pymysql

    return pymysql.connect(host=host, port=port, user="etl", password="etl", database="lab", **more)


if peer == "connectorx":
    import connectorx

    frame = connectorx.read_sql(
        f"mysql://etl:etl@{host}:{port}/lab", "SELECT * FROM bench", partition_on="id", partition_num=2, return_type="polars"
    )
    frame.write_ndjson(out)
elif peer == "loop":
    import orjson
    import pymysql.cursors

    with driver(cursorclass=pymysql.cursors.SSDictCursor) as connection, connection.cursor() as cursor, open(out, "wb") as file:
        cursor.execute("SELECT * FROM bench")
        for row in cursor:
            file.write(orjson.dumps(row))
            file.write(b"\n")
elif peer == "dlt":
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline("bench", destination=dlt.destinations.filesystem("file://" + out), dataset_name="bench", pipelines_dir=out + ".work")
    table = sql_table(f"mysql+pymysql://etl:etl@{host}:{port}/lab", table="bench", chunk_size=50_000)
    pipeline.run(table, loader_file_format="jsonl")
elif peer == "executemany":
    with driver() as source, driver() as target, source.cursor() as read, target.cursor() as write:
        read.execute("SELECT * FROM bench")
        while rows := read.fetchmany(10_000):
            write.executemany("INSERT INTO copied VALUES (%s, %s, %s, %s, %s)", rows)
            target.commit()
else:
    sys.exit(f"no peer {peer}")
