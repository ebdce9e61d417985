// `trestle top`: live rates of a running server, from its API.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "cli/http_client.h"
#include "cli/top_screen.h"
#include "server/config.h"
#include "server/config_faults.h"

namespace trestle {

namespace {

using nlohmann::json;

constexpr auto kTimeout = std::chrono::seconds(5);

struct Window {
    size_t columns = 0, rows = 0;  // 0: as much as there is
};

Window window_of_terminal() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {80, 24};
    return {size.ws_col, size.ws_row};
}

/// From the top left corner over what stood there.
void refresh(const std::vector<std::string>& lines, std::ostream& out) {
    const Window window = window_of_terminal();
    out << "\x1b[H";
    for (size_t i = 0; i < lines.size() && i + 1 < window.rows; ++i) {
        out << lines[i].substr(0, window.columns) << "\x1b[K\n";
    }
    out << "\x1b[J" << std::flush;
}

class Asker {
 public:
    Asker(const AdminConfig& admin, Uri uri, std::ostream& err)
        : admin_(admin), uri_(std::move(uri)), err_(err) {}

    /// Null, and a sentence, when there is no answer.
    json ask() {
        const HttpAnswer answer = http_get(uri_, "/api/v1/stats", admin_.token, kTimeout);
        if (!answer.problem.empty()) {
            err_ << "trestle top: " << admin_.listen << ": " << answer.problem << "\n";
            return nullptr;
        }
        json stats = json::parse(answer.body, nullptr, false);
        if (answer.is_ok() && stats.is_object()) return stats;
        err_ << "trestle top: " << admin_.listen << ": " << answer.status << ": " << answer.body
             << "\n";
        return nullptr;
    }

 private:
    const AdminConfig& admin_;
    Uri uri_;
    std::ostream& err_;
};

/// Screen after screen, as often as asked for. Throws json::exception when an answer is not what a
/// gateway gives.
int show_rates(Asker& asker, const TopOptions& options, std::ostream& out) {
    json before = asker.ask();
    const auto interval =
        std::chrono::milliseconds(static_cast<int64_t>(options.interval_s * 1000));
    const bool endless = options.count == 0;
    if (options.in_place) out << "\x1b[2J";
    for (size_t shown = 0; endless || shown < options.count; ++shown) {
        if (before.is_null()) return kFailed;
        std::this_thread::sleep_for(interval);
        json now = asker.ask();
        if (now.is_null()) return kFailed;
        const auto lines = top_screen(before, now);
        if (options.in_place) {
            refresh(lines, out);
        } else {
            for (const auto& line : lines) out << line << "\n";
            if (endless || shown + 1 < options.count) out << "\n";
            out << std::flush;
        }
        before = std::move(now);
    }
    return kFine;
}

}  // namespace

int top_command(const ConfigArguments& arguments, const TopOptions& options, std::ostream& out,
                std::ostream& err) {
    ConfigFaults faults(arguments.file);
    const auto admin = Config::load_admin(arguments.file, arguments.sets, faults);
    if (!admin) {
        for (const auto& line : faults.lines()) err << line << "\n";
        return kWrongUse;
    }
    const ParsedUri parsed = parse_uri(admin->listen);
    if (!parsed.uri || parsed.uri->is_local || parsed.uri->port == 0) {
        err << "trestle top: " << arguments.file << " has no admin.listen with a port to ask\n";
        return kWrongUse;
    }
    Asker asker(*admin, *parsed.uri, err);
    try {
        return show_rates(asker, options, out);
    } catch (const json::exception&) {
        err << "trestle top: " << admin->listen
            << ": the answer is not what a gateway of this version gives\n";
        return kFailed;
    }
}

}  // namespace trestle
