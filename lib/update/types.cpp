#include "update/types.hpp"

namespace fota::update {

std::string_view component_name(Component component) noexcept {
    switch (component) {
        case Component::app:
            return "app";
        case Component::mcuboot:
            return "mcuboot";
        case Component::modem:
            return "modem";
    }
    return "?";
}

std::string_view step_name(Step step) noexcept {
    switch (step) {
        case Step::await_device:
            return "await-device";
        case Step::plan:
            return "plan";
        case Step::reset:
            return "reset";
        case Step::deliver:
            return "deliver";
        case Step::downloaded:
            return "downloaded";
        case Step::execute:
            return "execute";
        case Step::await_return:
            return "await-return";
        case Step::prove:
            return "prove";
        case Step::soak:
            return "soak";
    }
    return "?";
}

std::string_view outcome_name(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::updated:
            return "updated";
        case Outcome::already_installed:
            return "already-installed";
        case Outcome::refused:
            return "refused";
        case Outcome::failed:
            return "failed";
        case Outcome::rolled_back:
            return "rolled-back";
        case Outcome::deferred:
            return "deferred";
        case Outcome::absent:
            return "absent";
        case Outcome::interrupted:
            return "interrupted";
    }
    return "failed";
}

}  // namespace fota::update
