#include "cli/modem_batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "cli/diagnostics.hpp"
#include "cli/files.hpp"

namespace fota::cli {
namespace {

constexpr std::size_t most_rows = 10'000;

/// One record; `line` counts the line ends passed.
Result<std::vector<std::string>> take_record(std::string_view& rest, std::size_t& line) {
    std::vector<std::string> fields(1);
    bool quoted = false;
    bool was_quoted = false;
    const auto start = line;
    while (!rest.empty()) {
        const char each = rest.front();
        rest.remove_prefix(1);
        if (quoted) {
            if (each == '\n') ++line;
            if (each != '"') {
                fields.back() += each;
            } else if (rest.starts_with('"')) {
                fields.back() += '"';
                rest.remove_prefix(1);
            } else {
                quoted = false;
            }
            continue;
        }
        if (each == '"' && fields.back().empty() && !was_quoted) {
            quoted = was_quoted = true;
        } else if (each == ',') {
            fields.emplace_back();
            was_quoted = false;
        } else if (each == '\n') {
            ++line;
            return fields;
        } else if (each != '\r') {
            if (was_quoted)
                return fail(Errc::config_invalid,
                            fmt::format("line {}: expected a comma after a quoted field, found more", line));
            fields.back() += each;
        }
    }
    if (quoted)
        return fail(Errc::config_invalid, fmt::format("line {}: expected a closing quote, found the end", start));
    return fields;
}

Result<std::vector<ModemJob>> read_jobs(const ModemJob& common, const std::string& csv) {
    TRY(const auto bytes, read_file(csv, small_file_limit));
    auto rows = parse_csv(as_text(bytes));
    if (!rows) return fail(std::move(rows.error()).with("file", csv).in("reading " + shown_path(csv)));
    constexpr std::array<std::string_view, 5> known{"port", "imei", "endpoint", "sec_tag", "label"};
    std::vector<ModemJob> jobs;
    for (const auto& row : *rows) {
        auto job = common;
        const auto refused = [&](std::string message) {
            return fail(Error(Errc::config_invalid,
                              fmt::format("{}, device {}: {}", shown_path(csv), jobs.size() + 1, std::move(message)))
                            .with("file", csv));
        };
        for (const auto& [column, value] : row) {
            if (std::ranges::find(known, column) == known.end())
                return refused(fmt::format("expected the columns port, imei, endpoint, sec_tag and label, found \"{}\"",
                                           printable(column)));
            if (value.empty()) continue;
            if (column == "port") job.port = value;
            if (column == "imei") job.expected_imei = value;
            if (column == "endpoint") job.endpoint = value;
            if (column == "label") job.label = value;
            if (column == "sec_tag") {
                const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), job.sec_tag);
                if (error != std::errc{} || end != value.data() + value.size() || job.sec_tag > modem::largest_sec_tag)
                    return refused(fmt::format("expected a sec tag of at most {}, found \"{}\"", modem::largest_sec_tag,
                                               printable(value)));
            }
        }
        if (job.port.empty()) return refused("expected a port in the line or --port, found none");
        jobs.push_back(std::move(job));
    }
    if (jobs.empty())
        return fail(Error(Errc::config_invalid, fmt::format("expected devices in {}, found none", shown_path(csv)))
                        .with("file", csv));
    return jobs;
}

}  // namespace

Result<std::vector<std::map<std::string, std::string>>> parse_csv(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // spreadsheets write a byte order mark
    std::size_t line = 1;
    TRY(const auto header, take_record(text, line));
    std::vector<std::map<std::string, std::string>> rows;
    while (!text.empty()) {
        const auto at = line;
        TRY(const auto fields, take_record(text, line));
        if (fields.size() == 1 && fields.front().empty()) continue;
        if (fields.size() != header.size())
            return fail(Errc::config_invalid, fmt::format("line {}: expected {} fields as in the header, found {}", at,
                                                          header.size(), fields.size()));
        if (rows.size() == most_rows)
            return fail(Errc::config_invalid, fmt::format("expected at most {} devices, found more", most_rows));
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < fields.size(); ++i) row[header[i]] = fields[i];
        if (row.size() != header.size())
            return fail(Errc::config_invalid, "line 1: expected each column once, found one twice");
    }
    return rows;
}

int run_modem_batch(Output& out, const ModemJob& common, const std::string& csv, const SignedReport* report) {
    const auto jobs = read_jobs(common, csv);
    if (!jobs) return out.fail(jobs.error());
    std::vector<nlohmann::json> devices;
    std::vector<int> exits;
    std::optional<Error> unwritten;
    int signal_exit = 0;
    for (const auto& job : *jobs) {
        const auto result = run_modem_job(out, job);
        auto fields = result.fields;
        if (result.error) {
            fields["error"] = {{"code", errc_name(result.error->code())},
                               {"message", result.error->text()},
                               {"hints", hints(*result.error)}};
        }
        exits.push_back(result.error ? exit_code(result.error->code()) : 0);
        fields["exit"] = exits.back();
        out.event("device-result", fields);
        const auto name = !result.endpoint.empty() ? result.endpoint
                          : result.report.modem    ? "IMEI " + result.report.modem->imei
                                                   : printable(job.port);
        out.line(fmt::format("{:<20} {} · {}{}", outcome_name(result.report.outcome), name, printable(job.port),
                             result.error ? " · " + result.error->text() : ""));
        devices.push_back(std::move(fields));
        // After each one: a station that loses power has reported what was done.
        if (report != nullptr)
            if (auto written = report->write(devices); !written) unwritten = std::move(written.error());
        if (result.signal != 0) {
            signal_exit = exits.back();
            break;
        }
    }
    const auto good = static_cast<std::size_t>(std::ranges::count(exits, 0));
    nlohmann::json fields{{"devices", devices}, {"done", good}, {"of", jobs->size()}};
    if (report != nullptr && !unwritten) {
        fields["report"] = report->file();
        out.line(fmt::format("report     {}", shown_path(report->file())));
    }
    out.line(fmt::format("{} of {} devices provisioned", good, jobs->size()));
    if (unwritten) {
        auto error = std::move(*unwritten).in("writing the report");
        return out.fail(error, std::move(fields));
    }
    if (signal_exit != 0) return out.result("interrupted", std::move(fields), signal_exit);
    const bool same = std::ranges::all_of(exits, [&](int each) { return each == exits.front(); });
    const int exit = same ? exits.front() : good > 0 ? 11 : *std::ranges::min_element(exits);
    return out.result(exit == 0 ? "done" : "failed", std::move(fields), exit);
}

}  // namespace fota::cli
