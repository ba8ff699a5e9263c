#include "layout/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "layout/explain_advice.hpp"

namespace fota::layout {
namespace {

/// What a sector or flash warning makes of a primary that is "not valid": the limit, not the key.
constexpr std::array layout_signs{Sign::sectors_unreadable,    Sign::sectors_incompatible, Sign::sectors_too_many,
                                  Sign::sector_layout_differs, Sign::slot_not_in_map,      Sign::slot_not_ready,
                                  Sign::id_mismatch,           Sign::write_sizes_differ,   Sign::dpd_exit_failed,
                                  Sign::page_incompatible,     Sign::size_mismatch};
constexpr std::array key_rules{std::string_view("key-not-in-mcuboot"), std::string_view("image-not-signed"),
                               std::string_view("stale-signing-parameters"),
                               std::string_view("reset-vector-outside-primary")};

struct Tally {
    int score = 0;
    bool lowered = false;
    std::vector<unsigned> lines;
};

bool about_layout(Sign sign) {
    return std::ranges::find(layout_signs, sign) != layout_signs.end();
}

/// The warning before `line` that explains a primary which is "not valid".
const Observation* layout_warning_before(const BootLog& log, unsigned line) {
    for (const auto& one : log.observations)
        if (one.line < line && about_layout(one.sign)) return &one;
    return nullptr;
}

class Collector {
  public:
    void add(std::string_view rule, int score, unsigned line, bool lowered = false) {
        auto& tally = rules_[rule];
        const bool seen = std::ranges::find(tally.lines, line) != tally.lines.end();
        tally.score = tally.lines.empty() ? score : std::max(tally.score, score) + (seen ? 0 : 8);
        tally.lowered = lowered && (tally.lowered || tally.lines.empty());
        if (!seen) tally.lines.push_back(line);
    }
    std::map<std::string_view, Tally>& rules() { return rules_; }

  private:
    std::map<std::string_view, Tally> rules_;
};

void collect_id(const BootLog& log, const Observation& seen, Collector& out) {
    if (log.answered && flash::is_silent(*log.answered)) {
        out.add("flash-not-routed", 110, seen.line);
        out.add("dk-without-external-flash", 90, seen.line);
        out.add("flash-cs-index-out-of-range", 40, seen.line);
        out.add("shared-pins-or-instance", 35, seen.line);
    } else if (log.answered && flash::is_nand(*log.answered)) {
        out.add("nand-part-as-nor", 110, seen.line);
    } else {
        out.add("jedec-id-mismatch", 110, seen.line);
        out.add("sfdp-bfp-of-other-part", 60, seen.line);
    }
}

std::string id_reading(const BootLog& log) {
    if (!log.answered || !log.configured) return std::string(advice(Sign::id_mismatch).reading);
    const auto name = [](const flash::JedecId& id) {
        const auto* part = flash::find_part(id);
        return flash::jedec_text(id) + (part == nullptr ? "" : fmt::format(" ({})", part->name));
    };
    if (flash::is_silent(*log.answered))
        return fmt::format(
            "The flash driver expected {} and heard nothing at all ({}): the flash is not connected, not "
            "selected or not powered. No setting of the slots matters before this is solved.",
            name(*log.configured), flash::jedec_text(*log.answered));
    return fmt::format("The flash driver expected {}, and the flash answered {}.", name(*log.configured),
                       name(*log.answered));
}

void collect(const BootLog& log, Collector& out) {
    for (const auto& seen : log.observations) {
        if (seen.sign == Sign::id_mismatch) {
            collect_id(log, seen, out);
            continue;
        }
        const bool collapsed = seen.sign == Sign::primary_invalid && layout_warning_before(log, seen.line) != nullptr;
        int score = 100;
        for (const auto rule : advice(seen.sign).rules) {
            if (rule.empty()) break;
            const bool about_key = std::ranges::find(key_rules, rule) != key_rules.end();
            if (collapsed && about_key) {
                out.add(rule, 5, seen.line, true);
            } else {
                out.add(rule, collapsed ? 30 : score, seen.line);
            }
            score -= 10;
        }
    }
    // An id that the flash gave, or a flash that never answered, explains a slot that is not ready better than guesses.
    if (log.first(Sign::id_mismatch) != nullptr && log.first(Sign::slot_not_ready) != nullptr)
        for (auto& [rule, tally] : out.rules())
            if (tally.lines.size() == 1 && tally.lines.front() == log.first(Sign::slot_not_ready)->line)
                tally.lowered = true;
}

std::string reading_of(const BootLog& log, const Observation& seen) {
    if (seen.sign == Sign::id_mismatch) return id_reading(log);
    if (seen.sign == Sign::primary_invalid)
        if (const auto* warning = layout_warning_before(log, seen.line))
            return fmt::format(
                "A consequence of line {}: with swap-using-move the largest image that MCUboot accepts is computed "
                "from "
                "both slots. A secondary slot that is missing or has too few sectors pulls that limit below the size "
                "of "
                "an image which is perfectly good. This is a fault of the layout until proven otherwise, not of the "
                "key "
                "or the signature.",
                warning->line);
    return std::string(advice(seen.sign).reading);
}

std::string summary_of(const BootLog& log) {
    const auto* primary = log.first(Sign::primary_invalid);
    const auto* warning = primary == nullptr ? nullptr : layout_warning_before(log, primary->line);
    if (warning != nullptr)
        return "This is a layout fault: MCUboot has a problem with the secondary slot and therefore refuses a primary "
               "image that is most likely good. Do not look at keys or signatures first.";
    if (log.answered && flash::is_silent(*log.answered))
        return "The external flash does not answer: this is about wiring, routing or power, not about the layout.";
    for (const auto& one : log.observations)
        if (about_layout(one.sign))
            return "MCUboot cannot use the secondary slot: what runs goes on running, and updates do not happen.";
    if (log.observations.empty())
        return fmt::format("Nothing in these {} is known to mean a fault.",
                           log.lines == 1 ? std::string("line") : fmt::format("{} lines", log.lines));
    return std::string(advice(log.observations.front().sign).reading);
}

}  // namespace

Explanation explain(const BootLog& log, const Report* tree) {
    Explanation out;
    out.summary = summary_of(log);
    for (const auto& seen : log.observations)
        if (out.lines.empty() || out.lines.back().line != seen.line ||
            out.lines.back().reading != reading_of(log, seen))
            out.lines.push_back({seen.line, printable(seen.text, 300), reading_of(log, seen)});
    Collector collector;
    collect(log, collector);
    std::vector<std::pair<int, Cause>> ranked;
    for (auto& [rule, tally] : collector.rules()) {
        Cause cause;
        cause.rule = rule;
        cause.lines = std::move(tally.lines);
        int score = tally.score;
        if (tally.lowered) cause.standing = Cause::Standing::unlikely;
        if (const auto* known = advice(rule)) {
            cause.why = known->why;
            cause.check = known->check;
        }
        const Finding* finding = nullptr;
        if (tree != nullptr)
            for (const auto& one : tree->findings)
                if (one.rule == rule && finding == nullptr) finding = &one;
        if (finding != nullptr && finding->where.file != log.name) {
            cause.standing = Cause::Standing::confirmed;
            cause.why = finding->message;
            cause.check = finding->fix;
            cause.where = finding->where;
            score += 1000 + (finding->severity == Severity::error ? 100 : 0);
        } else if (tree != nullptr && std::ranges::find(tree->clean, rule) != tree->clean.end()) {
            out.ruled_out.emplace_back(rule);
            continue;
        }
        if (cause.standing == Cause::Standing::unlikely) score -= 200;
        ranked.emplace_back(score, std::move(cause));
    }
    std::ranges::stable_sort(ranked, [](const auto& a, const auto& b) { return a.first > b.first; });
    for (auto& [score, cause] : ranked) out.causes.push_back(std::move(cause));
    if (!out.causes.empty())
        out.first = out.causes.front().check;
    else if (!out.ruled_out.empty())
        out.summary +=
            " The tree that was given has none of the faults that would explain the log: is it the one the "
            "device was built from? A device keeps the MCUboot that was flashed with a cable.";
    return out;
}

}  // namespace fota::layout
