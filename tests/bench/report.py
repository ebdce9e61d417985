"""Prints the results of a benchmark as tables."""

import statistics

from scenarios import BARE_WORK, TAKEN, TO_PUB, ZMQ_PUB


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


def ratio(row, names):
    """What the first subject (mosquitto) spends for what the second (Trestle) spends 1 on."""
    values = [row["median"].get(n, {}).get("broker_cpu_s_per_M") for n in names]
    return values[0] / values[1] if len(values) == 2 and all(values) else None


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


def cells(row, names, key, digits=2):
    return [number(row["median"].get(n, {}).get(key), digits) for n in names]


def floor_of(row, results):
    for floor in results["floors"]:
        if floor["floor"] == row["floor"]:
            m = floor["median"]
            return m.get("broker_cpu_s_per_M", m.get("both_ends_cpu_s_per_M"))
    return None


def print_flows(results, names):
    rows = [r for r in results["rows"] if r["command"] != "conns"]
    if not rows:
        return
    head = ["scenario", *[f"CPU {n}" for n in names], "ratio", "goal", "floor",
            *[f"alloc {n[0]}" for n in names], *[f"calls {n[0]}" for n in names],
            *[f"msg/s {n}" for n in names], "notes"]
    print("\nCPU: seconds per million messages delivered, all processes of the subject (scenarios "
          "with ZeroMQ: mosquitto with\nits bridge). Ratio: mosquitto / Trestle; goal: the least "
          "that is aimed at; floor: CPU of a program that only\nmoves the bytes. Per message: "
          "alloc, calls to the allocator; calls, system calls for input and output.\n")
    lines = []
    for row in rows:
        reached = ratio(row, names)
        lines.append([
            row["scenario"], *cells(row, names, "broker_cpu_s_per_M"),
            number(reached, 1), number(row["goal"] or None, 0), number(floor_of(row, results), 3),
            *cells(row, names, "allocations"), *cells(row, names, "system_calls", 3),
            *cells(row, names, "out_per_s", 0), notes(row, names) or "nothing lost"])
    table(head, lines)
    print_goals(rows, names)


def print_goals(rows, names):
    """The goals as a whole: the mean counts, and no row far below its own."""
    reached = {r["scenario"]: ratio(r, names) / r["goal"]
               for r in rows if r["goal"] and ratio(r, names)}
    if not reached:
        return
    mean = statistics.geometric_mean(reached.values())
    low = [f"{name} ({share:.2f})" for name, share in reached.items() if share < 0.7]
    print(f"\nRatios are {mean:.2f} of their goals (geometric mean of {len(reached)}); "
          f"below 0.7 of its own: {', '.join(low) or 'none'}.")


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
        lines.append([row["scenario"], per, *cells(row, names, f"rss_bytes_per_{per}", 0),
                      *cells(row, names, cpu), notes(row, names)])
    table(["scenario", "per", *[f"bytes {n}" for n in names],
           *[f"CPU us {n}" for n in names], "notes"], lines)


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


def print_pub(results):
    """What a message from MQTT to PUB costs beyond taking it, in sends of libzmq's own."""
    cpu = {row["scenario"]: row["median"].get("trestle", {}).get("broker_cpu_s_per_M")
           for row in results["rows"]}
    send = next((row["median"].get("send_cpu_s_per_M") for row in results["floors"]
                 if row["floor"] == ZMQ_PUB), None)
    taken, to_pub = cpu.get(TAKEN), cpu.get(TO_PUB)
    if not (send and taken and to_pub):
        return
    print(f"\nMQTT to PUB, 64 B: {to_pub:.3f}; less what taking the message costs ({taken:.3f}): "
          f"{to_pub - taken:.3f},\nwhich is {(to_pub - taken) / send:.2f} times libzmq's own send "
          f"({send:.3f}); goal: at most 2.")


def print_work(results):
    if not results["work"]:
        return
    print("\nJobs from a router to one worker, drained from a full queue, and libzmq alone:\n")
    bare = next((row["median"].get("per_s") for row in results["work"]
                 if row["work"] == BARE_WORK), None)
    table(["work", "msg/s", "of bare"],
          [[row["work"], number(speed, 0), f"{speed / bare:.0%}" if speed and bare else "-"]
           for row in results["work"] for speed in [row["median"].get("per_s")]])
    print("Goal: at least 40 % of bare ROUTER to DEALER.")


def print_report(results, names):
    about = results["machine"]
    print(f"\n{about['cpu']}, {about['cores']} cores, {about['date']}, commit {about['commit']}, "
          f"MQTT {results['mqtt']}, {results['shards']} shard(s), median of {results['rounds']}")
    print_flows(results, names)
    print_latencies(results, names)
    print_memory(results, names)
    print_floors(results)
    print_pub(results)
    print_work(results)
    for row in results["rows"]:
        for error in row.get("errors", []):
            print(f"\nFAILED {row['scenario']}: {error}")
