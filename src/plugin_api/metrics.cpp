#include "plugin_api/metrics.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>
#include <variant>

namespace trestle {

namespace {

[[noreturn]] void misuse(std::string_view name, std::string_view what) {
    throw std::logic_error("metric " + std::string(name) + ": " + std::string(what));
}

using AskedGauge = std::function<double()>;

struct Series {
    Labels labels;
    bool exported = true;
    std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>,
                 AskedGauge>
        metric;

    [[nodiscard]] bool carries(std::string_view label, std::string_view value) const {
        return std::any_of(labels.begin(), labels.end(),
                           [&](const auto& l) { return l.first == label && l.second == value; });
    }
};

struct FamilyOfSeries {
    std::string help;
    Metrics::Kind kind = Metrics::Kind::counter;
    std::vector<double> bounds;
    std::vector<std::unique_ptr<Series>> series;  // in order of creation
    std::map<Labels, Series*> by_sorted_labels;   // so that the order of labels does not matter
};

bool is_name(std::string_view text) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
           std::all_of(text.begin(), text.end(), good);
}

void check_name(std::string_view name, std::string_view help, Metrics::Kind kind) {
    if (!is_name(name) || !name.starts_with("trestle_"))
        misuse(name, "is not a name with our prefix");
    if (name.ends_with("_total") != (kind == Metrics::Kind::counter)) {
        misuse(name, "_total belongs on counters, and on nothing else");
    }
    if (help.empty() || help.find_first_of("\\\n") != std::string_view::npos) {
        misuse(name, "needs a help text of one line, without backslashes");
    }
}

Labels sorted(std::string_view name, const Labels& labels) {
    Labels result = labels;
    std::sort(result.begin(), result.end());
    for (size_t i = 0; i < result.size(); ++i) {
        const std::string& label = result[i].first;
        if (!is_name(label) || label.starts_with("__") || label == "le") {
            misuse(name, "cannot have the label " + label);
        }
        if (i > 0 && label == result[i - 1].first)
            misuse(name, "has the label " + label + " twice");
    }
    return result;
}

Metrics::Sample read_series(const Series& series, const FamilyOfSeries& family) {
    Metrics::Sample sample;
    sample.labels = series.labels;
    if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&series.metric)) {
        sample.value = static_cast<double>((*counter)->value());
    } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&series.metric)) {
        sample.value = static_cast<double>((*gauge)->value());
    } else if (const auto* histogram = std::get_if<std::unique_ptr<Histogram>>(&series.metric)) {
        sample.histogram = (*histogram)->read();
        sample.upper_bounds = &family.bounds;
    } else {
        sample.value = std::get<AskedGauge>(series.metric)();
    }
    return sample;
}

}  // namespace

struct Metrics::Impl {
    mutable std::mutex mutex;
    std::map<std::string, FamilyOfSeries, std::less<>> families;

    FamilyOfSeries& family(std::string_view name, std::string_view help, Kind kind) {
        if (const auto found = families.find(name); found != families.end()) {
            if (found->second.kind != kind) misuse(name, "is already of another kind");
            return found->second;
        }
        check_name(name, help, kind);
        FamilyOfSeries& made = families[std::string(name)];
        made.help = help;
        made.kind = kind;
        return made;
    }

    /// The series with these labels, exported from now on; `make` fills in a new one.
    template <class Make>
    static Series& series(std::string_view name, FamilyOfSeries& family, Labels labels, Make make) {
        Labels key = sorted(name, labels);
        if (const auto found = family.by_sorted_labels.find(key);
            found != family.by_sorted_labels.end()) {
            found->second->exported = true;
            return *found->second;
        }
        auto made = std::make_unique<Series>();
        made->labels = std::move(labels);
        made->metric = make();
        Series& result = *family.series.emplace_back(std::move(made));
        family.by_sorted_labels.emplace(std::move(key), &result);
        return result;
    }
};

Metrics::Metrics(size_t shards) : shards_(shards), impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock(impl_->mutex);
    auto& series = Impl::series(name, impl_->family(name, help, Kind::counter), std::move(labels),
                                [&] { return std::make_unique<Counter>(shards_ + 1); });
    return *std::get<std::unique_ptr<Counter>>(series.metric);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock(impl_->mutex);
    auto& series = Impl::series(name, impl_->family(name, help, Kind::gauge), std::move(labels),
                                [&] { return std::make_unique<Gauge>(shards_ + 1); });
    auto* held = std::get_if<std::unique_ptr<Gauge>>(&series.metric);
    if (held == nullptr) misuse(name, "is already a gauge that is asked for");
    return **held;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              std::vector<double> upper_bounds, Labels labels) {
    const std::lock_guard lock(impl_->mutex);
    FamilyOfSeries& family = impl_->family(name, help, Kind::histogram);
    if (family.series.empty()) family.bounds = Histogram::checked_bounds(std::move(upper_bounds));
    auto& series = Impl::series(name, family, std::move(labels), [&] {
        return std::make_unique<Histogram>(shards_ + 1, family.bounds);
    });
    return *std::get<std::unique_ptr<Histogram>>(series.metric);
}

void Metrics::gauge_from(std::string_view name, std::string_view help, Labels labels,
                         std::function<double()> read) {
    if (!read) misuse(name, "needs a function");
    const std::lock_guard lock(impl_->mutex);
    auto& series = Impl::series(name, impl_->family(name, help, Kind::gauge), std::move(labels),
                                [] { return AskedGauge(); });
    auto* held = std::get_if<AskedGauge>(&series.metric);
    if (held == nullptr) misuse(name, "is already a gauge that is set");
    *held = std::move(read);
}

void Metrics::forget(std::string_view label, std::string_view value) {
    const std::lock_guard lock(impl_->mutex);
    for (auto& [name, family] : impl_->families) {
        for (auto& series : family.series) {
            if (!series->carries(label, value)) continue;
            series->exported = false;
            if (auto* asked = std::get_if<AskedGauge>(&series->metric)) *asked = nullptr;
        }
    }
}

std::vector<Metrics::Family> Metrics::read() const {
    // The lock is held while gauges are asked, so that none is asked after `forget` has returned.
    const std::lock_guard lock(impl_->mutex);
    std::vector<Family> result;
    for (const auto& [name, family] : impl_->families) {
        Family out{name, family.help, family.kind, {}};
        for (const auto& series : family.series) {
            if (series->exported) out.samples.push_back(read_series(*series, family));
        }
        if (!out.samples.empty()) result.push_back(std::move(out));
    }
    return result;
}

}  // namespace trestle
