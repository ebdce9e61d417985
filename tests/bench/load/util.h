// Small shared helpers: clock, latency histogram, flag parsing, /proc readings.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

[[noreturn]] inline void die(const std::string& what) {
    std::fprintf(stderr, "mqttload: %s\n", what.c_str());
    std::exit(2);
}

[[noreturn]] inline void die_errno(const std::string& what) {
    die(what + ": " + std::strerror(errno));
}

inline uint64_t now_ns() {
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return uint64_t(ts.tv_sec) * 1'000'000'000ull + uint64_t(ts.tv_nsec);
}

// Log-linear histogram of nanoseconds: 64 steps per power of two (< 1.6 % error).
class Histogram {
 public:
    void add(uint64_t v) {
        ++counts_[index(v)];
        ++n_;
        if (v > max_) max_ = v;
        sum_ += double(v);
    }
    uint64_t count() const { return n_; }
    uint64_t max() const { return max_; }
    double mean() const { return n_ ? sum_ / double(n_) : 0; }
    uint64_t quantile(double q) const {
        if (!n_) return 0;
        const uint64_t want = uint64_t(q * double(n_ - 1)) + 1;
        uint64_t seen = 0;
        for (size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= want) return std::min(upper(i), max_);
        }
        return max_;
    }

 private:
    static constexpr unsigned kBits = 6;
    static size_t index(uint64_t v) {
        if (v < (1u << kBits)) return v;
        const unsigned shift = unsigned(std::bit_width(v)) - kBits - 1;
        return (size_t(shift + 1) << kBits) + size_t((v >> shift) & ((1u << kBits) - 1));
    }
    static uint64_t upper(size_t i) {
        if (i < (1u << kBits)) return i;
        const unsigned shift = unsigned(i >> kBits) - 1;
        const uint64_t base = (uint64_t(1) << kBits) | (i & ((1u << kBits) - 1));
        return ((base + 1) << shift) - 1;
    }
    std::array<uint64_t, (64 << kBits)> counts_{};
    uint64_t n_ = 0, max_ = 0;
    double sum_ = 0;
};

// --name value / --name=value / --switch
class Args {
 public:
    Args(int argc, char** argv, int from) {
        for (int i = from; i < argc; ++i) {
            std::string_view a = argv[i];
            if (a.substr(0, 2) != "--") die("unexpected argument: " + std::string(a));
            a.remove_prefix(2);
            if (auto eq = a.find('='); eq != a.npos) {
                values_[std::string(a.substr(0, eq))] = std::string(a.substr(eq + 1));
            } else if (i + 1 < argc && std::string_view(argv[i + 1]).substr(0, 2) != "--") {
                values_[std::string(a)] = argv[++i];
            } else {
                values_[std::string(a)] = "1";
            }
        }
    }
    std::string str(const std::string& k, const std::string& dflt = "") {
        used_[k] = true;
        auto it = values_.find(k);
        return it == values_.end() ? dflt : it->second;
    }
    uint64_t num(const std::string& k, uint64_t dflt) {
        const std::string s = str(k);
        if (s.empty()) return dflt;
        char* end = nullptr;
        double v = std::strtod(s.c_str(), &end);
        if (*end == 'k')
            v *= 1e3;
        else if (*end == 'm' || *end == 'M')
            v *= 1e6;
        else if (*end)
            die("not a number: --" + k + " " + s);
        return uint64_t(v);
    }
    double real(const std::string& k, double dflt) {
        const std::string s = str(k);
        return s.empty() ? dflt : std::strtod(s.c_str(), nullptr);
    }
    bool flag(const std::string& k) { return str(k, "0") != "0"; }
    bool has(const std::string& k) {
        used_[k] = true;
        return values_.count(k) > 0;
    }
    void reject_unknown() const {
        for (auto& [k, v] : values_)
            if (!used_.count(k)) die("unknown flag --" + k);
    }

 private:
    std::map<std::string, std::string> values_;
    std::map<std::string, bool> used_;
};

// CPU and memory of the processes under test (all threads of each).
class Watched {
 public:
    explicit Watched(const std::string& pid_list) {
        std::stringstream ss(pid_list);
        for (std::string p; std::getline(ss, p, ',');)
            if (!p.empty()) pids_.push_back(p);
    }
    bool any() const { return !pids_.empty(); }
    double cpu_seconds() const {
        double total = 0;
        for (auto& p : pids_) {
            std::ifstream f("/proc/" + p + "/stat");
            std::string s((std::istreambuf_iterator<char>(f)), {});
            const auto close = s.rfind(')');
            if (close == s.npos) continue;  // gone
            std::istringstream rest(s.substr(close + 2));
            std::string field;
            double ticks = 0;
            for (int i = 3; i <= 15 && rest >> field; ++i)
                if (i >= 14) ticks += std::strtod(field.c_str(), nullptr);
            total += ticks / double(sysconf(_SC_CLK_TCK));
        }
        return total;
    }
    // key: "VmRSS:" or "VmHWM:"; KiB
    uint64_t memory_kib(std::string_view key) const {
        uint64_t total = 0;
        for (auto& p : pids_) {
            std::ifstream f("/proc/" + p + "/status");
            for (std::string line; std::getline(f, line);)
                if (line.compare(0, key.size(), key) == 0)
                    total += std::strtoull(line.c_str() + key.size(), nullptr, 10);
        }
        return total;
    }
    void reset_peak() const {
        for (auto& p : pids_) std::ofstream("/proc/" + p + "/clear_refs") << "5";
    }

 private:
    std::vector<std::string> pids_;
};

// What the whole machine did, to tell a disturbed run from a quiet one.
struct Machine {
    double busy = 0, stolen = 0;  // CPU seconds
    static Machine read() {
        std::ifstream f("/proc/stat");
        std::string cpu;
        double user, nice, sys, idle, iowait, irq, softirq, steal;
        f >> cpu >> user >> nice >> sys >> idle >> iowait >> irq >> softirq >> steal;
        const double hz = double(sysconf(_SC_CLK_TCK));
        return {(user + nice + sys + irq + softirq) / hz, steal / hz};
    }
};

inline double self_cpu_seconds() {
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    auto s = [](timeval t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
    return s(u.ru_utime) + s(u.ru_stime);
}

// One flat JSON object on one line, prefixed so that a script can find it.
class Report {
 public:
    Report& add(const std::string& k, double v) {
        char b[64];
        std::snprintf(b, sizeof b, "%.6g", v);
        return raw(k, std::isfinite(v) ? b : "null");
    }
    Report& add(const std::string& k, uint64_t v) { return raw(k, std::to_string(v)); }
    Report& add(const std::string& k, const std::string& v) { return raw(k, "\"" + v + "\""); }
    void print() const {
        std::printf("RESULT {%s}\n", body_.c_str());
        std::fflush(stdout);
    }

 private:
    Report& raw(const std::string& k, const std::string& v) {
        if (!body_.empty()) body_ += ", ";
        body_ += "\"" + k + "\": " + v;
        return *this;
    }
    std::string body_;
};
