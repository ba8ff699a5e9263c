// What a log means: each known line in plain words, and the causes, most likely first, with what to look at first.
// A tree that is given confirms causes, or rules them out.
#pragma once

#include <string>
#include <vector>

#include "layout/boot_log.hpp"
#include "layout/check.hpp"

namespace fota::layout {

struct ExplainedLine {
    unsigned line = 0;
    std::string text;
    std::string reading;  ///< in plain words
};

struct Cause {
    enum class Standing : std::uint8_t {
        possible,   ///< by the log alone
        confirmed,  ///< the tree has this fault too
        unlikely,   ///< by what else the log says, or by what the tree says
    };
    std::string rule;
    Standing standing = Standing::possible;
    std::string why;              ///< what it would be
    std::string check;            ///< what to look at
    Where where;                  ///< in the tree, when confirmed
    std::vector<unsigned> lines;  ///< of the log, which speak for it
};

struct Explanation {
    std::string summary;  ///< one or two sentences: what kind of fault this is, and what it is not
    std::string first;    ///< the first thing to look at; "" when nothing was recognised
    std::vector<ExplainedLine> lines;
    std::vector<Cause> causes;           ///< most likely first
    std::vector<std::string> ruled_out;  ///< rules which the log suggests and the tree disproves
};

/// `tree` is the report on the project or build that the log comes from, or nullptr. Every text is safe to print.
Explanation explain(const BootLog& log, const Report* tree);

}  // namespace fota::layout
