"""Prints the results of a benchmark as tables."""


def table(head, rows):
    """Columns as wide as needed; all but the first to the right."""
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * w for w in widths], *rows]:
        cells = [str(c).rjust(w) if i else str(c).ljust(w)
                 for i, (c, w) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def number(value, digits=2):
    if value is None:
        return "-"
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}"


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if ours is not None and theirs else "-"


def faults(median):
    """What was lost, missing in order, or doubled; empty when nothing was."""
    marks = (("lost", "lost"), ("gaps", "gaps"), ("repeated_or_reordered", "repeated"),
             ("closed", "closed"), ("refused", "refused"))
    return " ".join(f"{median[k]:.0f} {word}" for k, word in marks if median.get(k))


def notes(row, names):
    out = []
    for name in names:
        median = row["median"].get(name, {})
        if text := faults(median):
            out.append(f"{name}: {text}")
        if median.get("others_cores", 0) + median.get("steal_cores", 0) > 0.5:
            out.append(f"{name}: noisy")
        if median.get("elapsed_s") and median.get("gen_cpu_s", 0) / median["elapsed_s"] > 0.95:
            out.append(f"{name}: generator at its limit")
    if "errors" in row:
        out.append("FAILED")
    return "; ".join(out)


def comparison(results, names, key, digits=2):
    """For one figure: each subject's median and ours against the other's."""
    def cells(row):
        values = [row["median"].get(n, {}).get(key) for n in names]
        more = [ratio(values[1], values[0])] if len(names) == 2 else []
        return [number(v, digits) for v in values] + more
    return cells


def short(names):
    return [*names, "ratio"] if len(names) == 2 else list(names)


def print_flows(results, names):
    rows = [r for r in results["rows"] if r["command"] != "conns"]
    if not rows:
        return
    cpu = comparison(results, names, "broker_cpu_s_per_M")
    rate = comparison(results, names, "out_per_s", 0)
    head = ["scenario", *[f"CPU {n}" for n in short(names)], *[f"msg/s {n}" for n in short(names)],
            "notes"]
    print("\nCPU: seconds per million messages delivered, all processes of the subject "
          "(scenarios with ZeroMQ: mosquitto with its bridge). Ratio: Trestle / mosquitto.\n")
    table(head, [[r["scenario"], *cpu(r), *rate(r), notes(r, names) or "nothing lost"]
                 for r in rows])


def print_latencies(results, names):
    rows = [r for r in results["rows"] if any("p99_us" in m for m in r["median"].values())]
    if not rows:
        return
    print("\nLatency in microseconds, from when a message was due.\n")
    keys = ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")
    table(["scenario", "subject", *[k[:-3] for k in keys]],
          [[r["scenario"], n, *[number(r["median"][n].get(k), 0) for k in keys]]
           for r in rows for n in names])


def print_memory(results, names):
    rows = [r for r in results["rows"] if r["command"] in ("conns", "subs")]
    if not rows:
        return
    print("\nResident memory in bytes, CPU in microseconds of the subject.\n")
    lines = []
    for row in rows:
        per = "conn" if row["command"] == "conns" else "sub"
        cpu = "broker_cpu_us_per_connect" if per == "conn" else "sub_cpu_us_each"
        memory = comparison(results, names, f"rss_bytes_per_{per}", 0)
        lines.append([row["scenario"], per, *memory(row),
                      *comparison(results, names, cpu)(row), notes(row, names)])
    table(["scenario", "per", *[f"bytes {n}" for n in short(names)],
           *[f"CPU us {n}" for n in short(names)], "notes"], lines)


def print_floors(results):
    if not results["floors"]:
        return
    print("\nFloors: the same bytes moved by programs that do no broker's work "
          "(bare zmq: both ends' CPU).\n")
    lines = []
    for row in results["floors"]:
        m = row["median"]
        lines.append([row["floor"],
                      number(m.get("broker_cpu_s_per_M", m.get("both_ends_cpu_s_per_M")), 3),
                      number(m.get("out_per_s", m.get("per_s")), 0)])
    table(["floor", "CPU", "msg/s"], lines)


def print_report(results, names):
    about = results["machine"]
    print(f"\n{about['cpu']}, {about['cores']} cores, {about['date']}, commit {about['commit']}, "
          f"MQTT {results['mqtt']}, {results['shards']} shard(s), median of {results['rounds']}")
    print_flows(results, names)
    print_latencies(results, names)
    print_memory(results, names)
    print_floors(results)
    for row in results["rows"]:
        for error in row.get("errors", []):
            print(f"\nFAILED {row['scenario']}: {error}")
