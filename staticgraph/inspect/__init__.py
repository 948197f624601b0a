"""Looking at programs: pictures, reports, and what notebooks show."""
